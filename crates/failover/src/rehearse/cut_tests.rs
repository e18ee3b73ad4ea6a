//! A whole look at a unit, with the connection cut after every single byte: no part of it makes a
//! report.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pair::Pair;
use super::setup::Setup;
use super::terminal;
use crate::driver::{DriverError, PairDriver};
use crate::ftd::{FtdDriver, FtdOptions, FtdUnit};
use crate::observe::{Role, Unit, UnitReport};
use crate::ssh::{Auth, Boxed, ConnectError, Dropped, Host, Login, Terminal, Transport};

/// What happens after the last byte that comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Breaks,
    Silence,
}

/// Terminals of the simulated pair without a network between.
struct Wire {
    pair: Arc<Mutex<Pair>>,
    bytes: usize,
    after: After,
    /// Bytes that came through.
    came: Arc<Mutex<usize>>,
}

struct Cut {
    terminal: terminal::Terminal,
    pair: Arc<Mutex<Pair>>,
    waiting: VecDeque<u8>,
    left: usize,
    after: After,
    came: Arc<Mutex<usize>>,
}

impl Transport for Wire {
    fn open<'a>(
        &'a self,
        host: &'a Host,
        _: &'a Login,
    ) -> Boxed<'a, Result<Box<dyn Terminal>, ConnectError>> {
        Box::pin(async move {
            // Only the first dialogue has this much; whoever comes again finds nobody.
            if *self.came.lock().unwrap() > 0 {
                return Err(ConnectError::Unreachable {
                    host: host.clone(),
                    reason: String::from("cut"),
                });
            }
            let (mut terminal, _) = terminal::Terminal::new(&self.pair.lock().unwrap(), Unit::A);
            Ok(Box::new(Cut {
                waiting: terminal.take_output().into(),
                terminal,
                pair: Arc::clone(&self.pair),
                left: self.bytes,
                after: self.after,
                came: Arc::clone(&self.came),
            }) as Box<dyn Terminal>)
        })
    }
}

impl Terminal for Cut {
    fn send<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, Result<(), Dropped>> {
        self.terminal.feed(&mut self.pair.lock().unwrap(), bytes);
        self.waiting.extend(self.terminal.take_output());
        Box::pin(async { Ok(()) })
    }

    fn receive(&mut self) -> Boxed<'_, Result<Vec<u8>, Dropped>> {
        Box::pin(async move {
            if self.left == 0 {
                return match self.after {
                    After::Breaks => Err(Dropped(String::from("cut"))),
                    After::Silence => pending().await,
                };
            }
            if self.waiting.is_empty() {
                return pending().await;
            }
            let count = self.waiting.len().min(self.left);
            self.left -= count;
            *self.came.lock().unwrap() += count;
            Ok(self.waiting.drain(..count).collect())
        })
    }
}

async fn look(bytes: usize, after: After) -> (Result<UnitReport, DriverError>, usize) {
    let setup = Setup::new();
    let access = FtdUnit {
        host: Host {
            address: String::from("nowhere"),
            port: 22,
        },
        login: Login {
            user: setup.user.clone(),
            auth: Auth::Password(setup.password.clone()),
        },
        sudo_password: None,
    };
    let options = FtdOptions {
        command_timeout: Duration::from_secs(5),
        quiet: Duration::from_millis(2),
        ..FtdOptions::new([access.clone(), access])
    };
    let came = Arc::new(Mutex::new(0));
    let wire = Wire {
        pair: Arc::new(Mutex::new(Pair::new(setup))),
        bytes,
        after,
        came: Arc::clone(&came),
    };
    let driver = FtdDriver::new(options, Arc::new(wire));
    let report = driver.observe(Unit::A).await;
    let came = *came.lock().unwrap();
    (report, came)
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_cut_after_any_byte_is_no_report() {
    let (whole, length) = look(usize::MAX, After::Silence).await;
    assert_eq!(whole.unwrap().own_role, Role::Active);
    assert!(length > 3000, "{length}");
    // Only the blank of the last prompt may be missing: a sentinel has closed that answer.
    let least = length - 1;
    for after in [After::Breaks, After::Silence] {
        for bytes in 1..least {
            let (report, _) = look(bytes, after).await;
            assert!(
                matches!(
                    report,
                    Err(DriverError::Unreachable { .. } | DriverError::Unreadable { .. })
                ),
                "{bytes} of {length}, then {after:?}: {report:?}"
            );
        }
    }
    eprintln!("{length} bytes, each the last one twice");
}
