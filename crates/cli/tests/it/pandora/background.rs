//! A run that outlives who started it.

use std::time::{Duration, Instant};

use super::{Site, alone};

/// The run goes on when whoever started it is gone, one at a time, and can be watched.
#[test]
fn a_run_in_the_background_can_be_followed() {
    let site = Site::with(&[]);
    let _alone = alone();
    // It cannot end before it was looked at.
    let held = site.hold_sessions();
    let said = site.run(&["run", "--background", "--only", "audit"]);
    assert_eq!(said.code, 0, "{said:?}");
    let word = said.out.strip_prefix("process ").unwrap().split(' ').next();
    let pid = word.unwrap().to_owned();
    // Nobody's terminal: it leads a session of its own.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    assert_eq!(rest.split_whitespace().nth(3), Some(pid.as_str()), "{stat}");
    let twice = site.run(&["run", "--background"]);
    assert_eq!(twice.code, 6, "{twice:?}");
    // What is printed works as it stands: it names the configuration.
    let command = "status --follow --pandora [DIR]/pandora_server.conf --config [DIR]/state.toml";
    for text in [&said.out, &twice.err] {
        assert!(text.contains(&format!("`elpis-maint {command}`")), "{text}");
    }
    held.release();
    let followed = site.run(&["status", "--follow"]);
    assert_eq!(followed.code, 0, "{followed:?}");
    let status = command.replace(" --follow", "");
    assert!(
        followed.err.contains(&format!("`elpis-maint {status}`")),
        "{followed:?}"
    );
    let log = site.world.path("state/background.log");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let text = std::fs::read_to_string(&log).unwrap();
        if text.contains("Ending at") {
            assert!(text.contains("[PURGE]"), "{text}");
            break;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let idle = site.run(&["status", "--follow"]);
    assert!(
        idle.err.contains("no run works in the background"),
        "{idle:?}"
    );
    // What is wrong is said at once if it shows at once, and is in the log in any case.
    let wrong = site.run(&["run", "--background", "--only", "nothing"]);
    if wrong.code == 2 {
        assert!(wrong.err.contains("\"nothing\""), "{wrong:?}");
    } else {
        assert_eq!(wrong.code, 0, "{wrong:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&log)
        .unwrap()
        .contains("\"nothing\"")
    {
        assert!(Instant::now() < deadline, "{wrong:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
