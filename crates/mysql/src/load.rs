//! How busy a server is and how far its replicas are behind.

use std::time::Duration;

use elpis_run::{Load, ReplicaLag, ReplicaState, with_causes};
use mysql_async::Params;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::replica;
use crate::{ConnectOptions, Error, Session, SessionSettings};

/// The longest that one server may take to answer, connecting included.
const LIMIT: Duration = Duration::from_secs(2);

/// Watches load over connections of its own, apart from the one that writes.
///
/// It reconnects by itself: nothing but numbers hangs on its connections.
#[derive(Debug)]
pub struct LoadProbe {
    primary: Peer,
    replicas: Vec<(String, Peer)>,
}

#[derive(Debug)]
struct Peer {
    options: ConnectOptions,
    session: Option<Session>,
}

impl LoadProbe {
    /// A probe of one primary and any number of replicas, each with the name that reports and
    /// reasons use for it. Nothing is connected yet.
    #[must_use]
    pub fn new(primary: ConnectOptions, replicas: Vec<(String, ConnectOptions)>) -> Self {
        let peer = |options| Peer {
            options,
            session: None,
        };
        Self {
            primary: peer(primary),
            replicas: replicas
                .into_iter()
                .map(|(name, options)| (name, peer(options)))
                .collect(),
        }
    }

    /// Asks all servers at once; what cannot be learned within two seconds is `None` or
    /// `Unreachable`, never an error.
    pub async fn sample(&mut self) -> Load {
        let mut asked = JoinSet::new();
        for (index, (_, peer)) in self.replicas.iter_mut().enumerate() {
            // The task owns the connection; if this call is abandoned, both end and the next
            // call connects anew.
            let mut peer = Peer {
                options: peer.options.clone(),
                session: peer.session.take(),
            };
            asked.spawn(async move {
                let state = peer.replica_state().await;
                (index, peer.session, state)
            });
        }
        let (threads_running, history_list) = self.primary.load().await;
        let mut states = vec![None; self.replicas.len()];
        while let Some(answer) = asked.join_next().await {
            if let Ok((index, session, state)) = answer {
                self.replicas[index].1.session = session;
                states[index] = Some(state);
            }
        }
        let replicas = self.replicas.iter().zip(states).map(|((name, _), state)| {
            let state = state.unwrap_or_else(|| unreachable("the probe was interrupted"));
            ReplicaLag {
                name: name.clone(),
                state,
            }
        });
        Load {
            threads_running,
            history_list,
            replicas: replicas.collect(),
        }
    }
}

impl Peer {
    async fn session(&mut self) -> Result<&mut Session, Error> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let options = ConnectOptions {
                    connect_timeout: self.options.connect_timeout.min(LIMIT),
                    // A replica need not have the database, nor the account a right to it.
                    database: None,
                    ..self.options.clone()
                };
                let settings = SessionSettings {
                    statement_timeout: LIMIT,
                    lock_wait: LIMIT,
                    grace: Duration::ZERO,
                    ..SessionSettings::default()
                };
                Session::open(&options, &settings).await?
            }
        };
        Ok(self.session.insert(session))
    }

    async fn replica_state(&mut self) -> ReplicaState {
        let asked = async { replica::status(self.session().await?).await };
        let answer = timeout(LIMIT, asked).await;
        match answer {
            Ok(Ok(channels)) => channels
                .into_iter()
                .map(|channel| channel.state)
                .reduce(worse)
                .unwrap_or_else(|| ReplicaState::NotReplicating {
                    reason: "it is not configured as a replica".to_owned(),
                }),
            Ok(Err(error)) if replica::is_denied(&error) => {
                unreachable("the account may not ask for the replica status")
            }
            Ok(Err(error)) => {
                self.session = None;
                unreachable(&with_causes(&error))
            }
            Err(_) => {
                self.session = None;
                unreachable(&format!("no answer within {LIMIT:?}"))
            }
        }
    }

    async fn load(&mut self) -> (Option<u32>, Option<u64>) {
        let asked = async { load(self.session().await?).await };
        if let Ok(Ok(load)) = timeout(LIMIT, asked).await {
            load
        } else {
            self.session = None;
            (None, None)
        }
    }
}

async fn load(session: &mut Session) -> Result<(Option<u32>, Option<u64>), Error> {
    let status: Vec<(String, String)> = session
        .rows(
            "SHOW GLOBAL STATUS WHERE Variable_name IN \
             ('Threads_running', 'Innodb_history_list_length')",
            Params::Empty,
        )
        .await?;
    let number = |name: &str| -> Option<u64> {
        let (_, value) = status.iter().find(|(known, _)| known == name)?;
        value.parse().ok()
    };
    // The thread that answers this very question counts itself.
    let threads = number("Threads_running").map(|threads| threads.saturating_sub(1));
    let history = match number("Innodb_history_list_length") {
        Some(length) => Some(length),
        None => session
            .first(
                "SELECT `COUNT` FROM information_schema.INNODB_METRICS \
                 WHERE NAME = 'trx_rseg_history_len'",
                Params::Empty,
            )
            .await
            .or_else(|error| {
                if error.is_lost() {
                    Err(error)
                } else {
                    Ok(None)
                }
            })?,
    };
    Ok((threads.and_then(|threads| threads.try_into().ok()), history))
}

/// Of two channels, the one that matters.
fn worse(a: ReplicaState, b: ReplicaState) -> ReplicaState {
    match (&a, &b) {
        (ReplicaState::Behind(x), ReplicaState::Behind(y)) if x < y => b,
        (ReplicaState::Behind(_), ReplicaState::Behind(_)) => a,
        (ReplicaState::Behind(_), _) => b,
        _ => a,
    }
}

fn unreachable(reason: &str) -> ReplicaState {
    ReplicaState::Unreachable {
        reason: reason.to_owned(),
    }
}
