//! The SSH server of a simulated unit, and the wire in front of it that can break and freeze.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use elpis_run::Clock;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::server::{self, Auth, Handle, Msg, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::fault::Fault;
use super::pair::Pair;
use super::terminal::{Fate, Terminal};
use super::unit::Line;
use crate::observe::Unit;

/// The model, shared by everybody who is connected.
#[derive(Clone)]
pub(super) struct Shared {
    pub pair: Arc<Mutex<Pair>>,
    pub clock: Arc<dyn Clock>,
}

impl Shared {
    /// The model, with everything happened that has to have happened by now.
    pub(super) fn lock(&self) -> MutexGuard<'_, Pair> {
        let mut pair = self.pair.lock().unwrap_or_else(PoisonError::into_inner);
        pair.advance(self.clock.monotonic());
        pair
    }
}

/// The host key of a unit; another one for every generation.
pub(super) fn host_key(unit: Unit, generation: u8) -> Result<PrivateKey, russh::Error> {
    let mut seed = [generation; 32];
    seed[0] = match unit {
        Unit::A => b'a',
        Unit::B => b'b',
    };
    let key = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    PrivateKey::new(key, "").map_err(|error| russh::Error::Keys(error.into()))
}

/// What a login does to its own wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Whole,
    Frozen,
    /// Breaks after so many more bytes towards the client.
    Bytes(u64),
}

/// Serves one unit for ever.
pub(super) async fn serve(shared: Shared, unit: Unit, listener: TcpListener) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let (line, generation) = {
            let pair = shared.lock();
            let model = pair.unit(unit);
            (model.line.subscribe(), model.key_generation)
        };
        // Nobody answers: the connection ends before it begins.
        if line.borrow().is_up {
            tokio::spawn(connection(shared.clone(), unit, tcp, line, generation));
        }
    }
}

async fn connection(
    shared: Shared,
    unit: Unit,
    tcp: TcpStream,
    line: watch::Receiver<Line>,
    generation: u8,
) {
    // Without it every dialogue takes 40 ms longer, and nothing else depends on it.
    let _ = tcp.set_nodelay(true);
    let Ok(key) = host_key(unit, generation) else {
        return;
    };
    let asks = questions(&shared, unit);
    let config = server::Config {
        keys: vec![key],
        methods: match asks.is_empty() {
            true => MethodSet::server_supported(),
            false => MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..]),
        },
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        inactivity_timeout: None,
        ..server::Config::default()
    };
    let (outside, inside) = tokio::io::duplex(1 << 16);
    let wire = watch::Sender::new(Wire::Whole);
    let watched = wire.subscribe();
    let login = Login {
        shared,
        unit,
        wire: Arc::new(wire),
        asks,
        asked: 0,
        keys: None,
        inbox: None,
    };
    let session = server::run_stream(Arc::new(config), inside, login);
    // Whichever ends first ends the connection.
    tokio::select! {
        () = carry(tcp, outside, line, watched) => {}
        () = async { if let Ok(session) = session.await { let _ = session.await; } } => {}
    }
}

fn questions(shared: &Shared, unit: Unit) -> Vec<(String, bool)> {
    let asks = shared.lock().fault(|fault| match fault {
        Fault::AsksQuestions(of, asks) if *of == unit => Some(asks.clone()),
        _ => None,
    });
    asks.unwrap_or_default()
}

/// Carries bytes until the line is cut. A frozen wire stays open and carries nothing.
async fn carry(
    mut tcp: TcpStream,
    mut server: DuplexStream,
    mut line: watch::Receiver<Line>,
    mut wire: watch::Receiver<Wire>,
) {
    let cuts = line.borrow_and_update().cuts;
    let mut sent = 0_u64;
    let mut from_client = [0; 4096];
    let mut from_server = [0; 4096];
    loop {
        let state = *wire.borrow_and_update();
        if state == Wire::Frozen {
            return is_cut(&mut line, cuts).await;
        }
        tokio::select! {
            biased;
            () = is_cut(&mut line, cuts) => return,
            _ = wire.changed() => sent = 0,
            read = tcp.read(&mut from_client) => match read {
                Ok(1..) => {
                    let bytes = from_client.get(..read.unwrap_or(0)).unwrap_or_default();
                    if server.write_all(bytes).await.is_err() { return; }
                }
                _ => return,
            },
            read = server.read(&mut from_server) => match read {
                Ok(count @ 1..) => {
                    let allowed = match state {
                        Wire::Bytes(limit) => usize::try_from(limit - sent).unwrap_or(count).min(count),
                        _ => count,
                    };
                    let bytes = from_server.get(..allowed).unwrap_or_default();
                    if tcp.write_all(bytes).await.is_err() || allowed < count { return; }
                    sent += allowed as u64;
                }
                _ => return,
            },
        }
    }
}

/// Waits until the line is cut, or the unit is gone for good.
async fn is_cut(line: &mut watch::Receiver<Line>, cuts: u64) {
    let _ = line.wait_for(|line| line.cuts != cuts).await;
}

/// One connection's side of the server.
struct Login {
    shared: Shared,
    unit: Unit,
    wire: Arc<watch::Sender<Wire>>,
    /// What it asks where the password is an answer to a question.
    asks: Vec<(String, bool)>,
    asked: usize,
    keys: Option<mpsc::UnboundedSender<Vec<u8>>>,
    inbox: Option<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl Login {
    fn is_right(&self, user: &str, password: &str) -> bool {
        let mut pair = self.shared.lock();
        let is_right = user == pair.setup.user && password == pair.setup.password.expose();
        if !is_right {
            pair.deeds.push(super::pair::Deed::WrongPassword(self.unit));
        }
        is_right
    }

    /// The next question; without one more the login is complete.
    fn ask_next(&mut self) -> Auth {
        let Some((question, echo)) = self.asks.get(self.asked).cloned() else {
            return Auth::Accept;
        };
        self.asked += 1;
        Auth::Partial {
            name: Cow::Borrowed(""),
            instructions: Cow::Borrowed(""),
            prompts: Cow::Owned(vec![(Cow::Owned(question), echo)]),
        }
    }
}

impl server::Handler for Login {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        if self.is_right(user, password) {
            return Ok(Auth::Accept);
        }
        let hangs_up = Fault::HangsUpOnWrongPassword(self.unit);
        match self.shared.lock().has(&hangs_up) {
            true => Err(russh::Error::Disconnect),
            false => Ok(Auth::reject()),
        }
    }

    /// The first question wants the password; a password for any other one is a wrong one.
    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(response) = response else {
            return Ok(self.ask_next());
        };
        let typed: Vec<String> = response
            .map(|answer| String::from_utf8_lossy(&answer).into_owned())
            .collect();
        let is_first = self.asked == 1;
        let word = typed.first().map_or("", String::as_str);
        if !is_first || !self.is_right(user, word) {
            if !is_first && !word.is_empty() {
                let mut pair = self.shared.lock();
                pair.deeds.push(super::pair::Deed::WrongPassword(self.unit));
            }
            return Ok(Auth::reject());
        }
        Ok(self.ask_next())
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: server::ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (keys, inbox) = mpsc::unbounded_channel();
        self.keys = Some(keys);
        self.inbox = Some(inbox);
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        if let Some(inbox) = self.inbox.take() {
            let shared = self.shared.clone();
            let wire = Arc::clone(&self.wire);
            tokio::spawn(attend(
                shared,
                self.unit,
                session.handle(),
                channel,
                inbox,
                wire,
            ));
        }
        Ok(())
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(keys) = &self.keys {
            // The terminal may have ended; what is typed then is lost.
            let _ = keys.send(data.to_vec());
        }
        Ok(())
    }
}

/// Somebody sits at a terminal until it ends.
async fn attend(
    shared: Shared,
    unit: Unit,
    handle: Handle,
    channel: ChannelId,
    mut inbox: mpsc::UnboundedReceiver<Vec<u8>>,
    wire: Arc<watch::Sender<Wire>>,
) {
    let (login, mut terminal, mut fate, mut console) = {
        let mut pair = shared.lock();
        let login = pair.logged_in(unit);
        let console = pair.unit(unit).console.subscribe();
        let (terminal, fate) = Terminal::new(&pair, unit);
        (login, terminal, fate, console)
    };
    let limit = shared.lock().fault(|fault| match fault {
        Fault::CutAtByte(of, at, bytes) if (*of, *at) == (unit, login) => Some(*bytes),
        _ => None,
    });
    if let Some(limit) = limit {
        wire.send_replace(Wire::Bytes(limit));
    }
    loop {
        let output = terminal.take_output();
        if !output.is_empty() && handle.data(channel, output).await.is_err() {
            return;
        }
        if fate == Fate::Closed {
            // The client may have left first.
            let _ = handle.close(channel).await;
            return;
        }
        tokio::select! {
            keys = inbox.recv() => match keys {
                Some(keys) => {
                    let late = {
                        let mut pair = shared.lock();
                        fate = terminal.feed(&mut pair, &keys);
                        if terminal.commands > 0 && pair.has(&Fault::FreezesAtLogin(unit, login)) {
                            wire.send_replace(Wire::Frozen);
                        }
                        late(&mut pair, unit, terminal.commands)
                    };
                    if let Some(late) = late {
                        tokio::time::sleep(late).await;
                    }
                }
                None => return,
            },
            line = console.recv() => match line {
                Ok(text) => terminal.console(&text),
                // Too slow: some lines are lost, which a console may do.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}

/// By how much the answer to the command that was just typed is late.
fn late(pair: &mut Pair, unit: Unit, commands: u32) -> Option<Duration> {
    let late = pair.fault(|fault| match fault {
        Fault::AnswersLate(of, at, late) if (*of, *at) == (unit, commands) => Some(*late),
        _ => None,
    })?;
    pair.strike(&Fault::AnswersLate(unit, commands, late));
    Some(late)
}
