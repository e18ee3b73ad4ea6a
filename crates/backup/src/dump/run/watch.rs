//! What ends or holds a dump from outside.

use std::convert::Infallible;
use std::time::Duration;

use elpis_run::{ChunkTiming, Pace};

use crate::dump::DumpControl;
use crate::dump::event::DumpEvent;
use crate::dump::gate::{End, Gate};

/// How often the load is measured.
const SAMPLE: Duration = Duration::from_secs(1);

/// Waits for an end that no reader has caused: its error comes by itself.
pub(super) async fn asked_to_end(gate: &Gate) -> End {
    match gate.ended().await {
        End::Failed => std::future::pending().await,
        end => end,
    }
}

/// Ends the dump on request, at its deadline, and when the throttle says so; holds it in between.
pub(super) async fn watch(
    gate: &Gate,
    control: &mut DumpControl,
    deadline: Option<Duration>,
    readers: usize,
) -> Infallible {
    let stop = control.stop.clone();
    let clock = control.clock.clone();
    let stopped = async {
        stop.stopped().await;
        gate.end(End::Stopped);
        std::future::pending::<()>().await;
    };
    let late = async {
        if let Some(after) = deadline {
            clock.sleep(after).await;
            gate.end(End::Deadline(after));
        }
        std::future::pending::<()>().await;
    };
    let _ = tokio::join!(stopped, late, govern(gate, control, readers));
    std::future::pending().await
}

/// Does what the throttle says, about once a second.
async fn govern(gate: &Gate, control: &mut DumpControl, readers: usize) {
    let clock = control.clock.clone();
    let Some(throttle) = &mut control.throttle else {
        return;
    };
    let mut last = None;
    loop {
        let mut load = throttle.probe.sample().await;
        // A reader that waits for us is still at work to the server.
        let own = u32::try_from(readers).unwrap_or(u32::MAX);
        load.threads_running = load.threads_running.map(|all| all.saturating_sub(own));
        match throttle.throttle.pace(last.as_ref(), &load) {
            Pace::Go { rows, pause } => {
                if !pause.is_zero() {
                    gate.hold(true);
                    clock.sleep(pause).await;
                }
                gate.hold(false);
                let begun = clock.monotonic();
                clock.sleep(SAMPLE).await;
                last = Some(ChunkTiming {
                    asked: rows,
                    examined: gate.take_rows(),
                    changed: 0,
                    took: clock.monotonic().saturating_sub(begun),
                });
            }
            Pace::Hold { retry_after, why } => {
                gate.hold(true);
                control.observer.on(&DumpEvent::Held { why });
                clock.sleep(retry_after).await;
                last = None;
            }
            Pace::Stop { why } => {
                gate.end(End::Throttled(why));
                return;
            }
        }
    }
}
