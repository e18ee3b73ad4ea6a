//! One reader: a connection on a thread of its own, which does what it is told.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use elpis_mysql::{ConnectOptions, Flavour, Isolation, Params, Row, Session, SessionSettings};
use tokio::sync::{mpsc, oneshot};

use super::error::DumpError;
use super::gate::{End, Gate};
use super::query::{Query, text};
use super::report::BinlogPosition;
use super::work::Work;

/// What all readers begin with.
pub(super) struct Setup {
    pub(super) connect: ConnectOptions,
    pub(super) gate: Arc<Gate>,
    pub(super) stall: Duration,
}

type Reply<T> = oneshot::Sender<Result<T, DumpError>>;

enum Order {
    Snapshot(Reply<Option<BinlogPosition>>),
    Ask(String, Reply<Vec<Row>>),
    Touch(Arc<[Table]>, Reply<Option<String>>),
    Work(Arc<Work>, Reply<()>),
}

/// A table to open in the snapshot.
pub(super) struct Table {
    /// `database.table`, for people.
    pub(super) name: String,
    /// As it stands in a statement.
    pub(super) quoted: String,
}

/// The conductor's end of a reader.
pub(super) struct Reader {
    orders: mpsc::UnboundedSender<Order>,
    connection: u32,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts the thread and waits until it is connected.
    pub(super) async fn start(number: usize, setup: Arc<Setup>) -> Result<Self, DumpError> {
        let (orders, received) = mpsc::unbounded_channel();
        let (ready, connected) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(format!("elpis-reader-{number}"))
            .spawn(move || read(&setup, ready, received))
            .map_err(|error| gone(error.to_string()))?;
        let connection = connected.await.map_err(|_| gone("it did not start"))??;
        Ok(Self {
            orders,
            connection,
            thread: Some(thread),
        })
    }

    /// The server's number of its connection.
    pub(super) fn connection(&self) -> u32 {
        self.connection
    }

    /// Begins a consistent snapshot, ending the one before, and tells its position in the binary
    /// log if the server does. Like every order it is on its way when this returns.
    pub(super) fn snapshot(&self) -> Answer<Option<BinlogPosition>> {
        self.order(Order::Snapshot)
    }

    /// Asks within the snapshot.
    pub(super) fn ask(&self, sql: String) -> Answer<Vec<Row>> {
        self.order(|reply| Order::Ask(sql, reply))
    }

    /// Opens every table in the snapshot, so that nobody can alter it until the snapshot ends.
    /// Tells the first one that was altered since the snapshot, or is being altered.
    pub(super) fn touch(&self, tables: Arc<[Table]>) -> Answer<Option<String>> {
        self.order(|reply| Order::Touch(tables, reply))
    }

    /// Works until there is nothing left.
    pub(super) fn work(&self, work: Arc<Work>) -> Answer<()> {
        self.order(|reply| Order::Work(work, reply))
    }

    fn order<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        // A reader that has ended drops the order, and the answer says so.
        let _ = self.orders.send(order(reply));
        Answer(answer)
    }

    /// Ends it. What it is doing ends with the gate.
    pub(super) fn end(mut self) {
        let thread = self.thread.take();
        drop(self);
        if let Some(thread) = thread {
            // A panic has become `Gone` to whoever waited for an answer.
            let _ = thread.join();
        }
    }
}

/// What a reader will answer.
pub(super) struct Answer<T>(oneshot::Receiver<Result<T, DumpError>>);

impl<T> Answer<T> {
    pub(super) async fn get(self) -> Result<T, DumpError> {
        self.0
            .await
            .map_err(|_| gone("it ended without an answer"))?
    }
}

/// All answers, or the error that says most: an ended reader is the consequence of another's
/// failure.
pub(super) async fn all<T>(
    answers: impl IntoIterator<Item = Answer<T>>,
) -> Result<Vec<T>, DumpError> {
    let answers: Vec<Answer<T>> = answers.into_iter().collect();
    let mut good = Vec::with_capacity(answers.len());
    let mut failure: Option<DumpError> = None;
    for answer in answers {
        match answer.get().await {
            Ok(value) => good.push(value),
            Err(error) if matches!(failure, None | Some(DumpError::Reader { .. })) => {
                failure = Some(error);
            }
            Err(_) => {}
        }
    }
    failure.map_or(Ok(good), Err)
}

fn gone(reason: impl Into<String>) -> DumpError {
    DumpError::Reader {
        reason: reason.into(),
    }
}

/// The thread.
fn read(setup: &Setup, ready: Reply<u32>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(gone(error.to_string())));
            return;
        }
    };
    // Whoever does not wait for an answer any more has ended the dump.
    runtime.block_on(async {
        let mut session = match open(&setup.connect, ALTERATION_WAIT).await {
            Ok(session) => session,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(session.connection_id()));
        while let Some(order) = orders.recv().await {
            match order {
                Order::Snapshot(reply) => {
                    let _ = reply.send(within(setup, snapshot(&mut session)).await);
                }
                Order::Ask(sql, reply) => {
                    let asked = session.ask(&sql, Params::Empty);
                    let _ = reply.send(within(setup, asked).await);
                }
                Order::Touch(tables, reply) => {
                    let touched = touch(&mut session, &tables);
                    let _ = reply.send(within(setup, touched).await);
                }
                Order::Work(work, reply) => {
                    let result = work.run(&mut session, setup.stall).await;
                    if result.is_err() {
                        setup.gate.end(End::Failed);
                    }
                    let _ = reply.send(result);
                }
            }
        }
    });
}

/// Gives up when the dump is to end; the session is lost then.
async fn within<T>(
    setup: &Setup,
    act: impl Future<Output = Result<T, DumpError>>,
) -> Result<T, DumpError> {
    tokio::select! {
        biased;
        result = act => result,
        end = setup.gate.ended() => Err(end.into_error()),
    }
}

/// How long a reader waits for a table that is being altered. Meanwhile the other readers hold
/// what they have opened already, which may be what the alteration waits for.
const ALTERATION_WAIT: Duration = Duration::from_secs(1);

/// How long everybody else waits for it.
pub(super) const PATIENT: Duration = Duration::from_secs(60);

/// A session as the dump needs it, whatever the server's defaults are.
pub(super) async fn open(
    connect: &ConnectOptions,
    lock_wait: Duration,
) -> Result<Session, DumpError> {
    let settings = SessionSettings {
        statement_timeout: 2 * PATIENT,
        lock_wait,
        isolation: Isolation::RepeatableRead,
        ..SessionSettings::default()
    };
    let mut session = Session::open(connect, &settings)
        .await
        .map_err(|source| DumpError::server("connecting", source))?;
    let server = session.server();
    let unlimited = match server.flavour {
        // Since 10.3 a transaction may be ended that does nothing for a while.
        Flavour::MariaDb if server.version >= (10, 3, 0) => {
            "max_statement_time = 0, idle_transaction_timeout = 0, \
             idle_readonly_transaction_timeout = 0"
        }
        Flavour::MariaDb => "max_statement_time = 0",
        Flavour::MySql => "max_execution_time = 0",
    };
    // A reader that is held up by its throttle or its sink must not be taken for dead. The modes
    // are empty so that identifiers are quoted with backticks and strings are not padded.
    let set = format!(
        "SET SESSION {unlimited}, sql_mode = '', sql_quote_show_create = 1, \
         sql_select_limit = 18446744073709551615, net_write_timeout = 86400, \
         net_read_timeout = 86400, wait_timeout = 86400"
    );
    session.tell("SET NAMES utf8mb4").await?;
    session.tell(&set).await?;
    Ok(session)
}

async fn snapshot(session: &mut Session) -> Result<Option<BinlogPosition>, DumpError> {
    session
        .tell("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        .await?;
    let status: Vec<Row> = session
        .ask("SHOW STATUS LIKE 'binlog_snapshot_%'", Params::Empty)
        .await?;
    let value = |wanted: &str| {
        let row = status.iter().find(|row| {
            row.as_ref(0)
                .is_some_and(|name| text(name).eq_ignore_ascii_case(wanted))
        })?;
        Some(text(row.as_ref(1)?))
    };
    let position = value("binlog_snapshot_position").and_then(|text| text.parse().ok());
    let position = value("binlog_snapshot_file")
        .filter(|file| !file.is_empty())
        .zip(position);
    Ok(position.map(|(file, position)| BinlogPosition { file, position }))
}

async fn touch(session: &mut Session, tables: &[Table]) -> Result<Option<String>, DumpError> {
    for table in tables {
        // A row is asked for, since an answer without rows needs no snapshot.
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.quoted);
        match session.execute(&sql, Params::Empty).await {
            Ok(_) => {}
            // Changed since the snapshot; not there any more; being altered.
            Err(error) if matches!(error.code(), Some(1412 | 1146 | 1205)) => {
                return Ok(Some(table.name.clone()));
            }
            Err(source) => {
                return Err(DumpError::server(format!("opening {}", table.name), source));
            }
        }
    }
    Ok(None)
}
