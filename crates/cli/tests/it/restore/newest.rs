//! `--newest` when the newest archive is broken: never an older one without a word.

use std::path::PathBuf;

use elpis_run::{Clock, Event, Holder, Journal, NewRun, RealClock, SqliteJournal};
use serde_json::json;

use super::{ADMIN, Archived, Case, Live};
use crate::backup::Site;
use crate::backup_server::config_php;
use crate::harness::Said;

/// Names later than any that a test makes.
const LATER: &str = "pandorafms_backup_2099-01-01-00-00-00";

impl Case {
    fn restore_the(&self, which: &str, more: &[&str]) -> Said {
        let args = [
            "restore",
            which,
            "--target",
            "dest",
            "-f",
            "-c",
            "pandora_console",
        ];
        self.site.run(&[&args[..], &ADMIN, more].concat())
    }
}

/// What the catalogue says is wrong with each archive, the newest first.
fn broken(site: &Site) -> Vec<String> {
    let list = site.run(&["list", "--target", "dest", "--format", "json"]);
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.out).unwrap();
    let said = list
        .iter()
        .map(|archive| &archive["note"]["verified"]["broken"]);
    said.map(|said| said.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn an_older_archive_is_only_taken_by_those_who_say_so() {
    let case = Case::new();
    let whole = std::fs::read(&case.archive).unwrap();
    let extension = case.name().split_once(".tar").unwrap().1;
    let newer = case.site.path(&format!("dest/{LATER}.tar{extension}"));
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &flipped, b"no archive", b""] {
        std::fs::write(&newer, bytes).unwrap();
        // Found out, and known.
        for turn in 0..2 {
            for more in [&[][..], &["--dry-run"]] {
                let said = case.restore_the("--newest", more);
                assert_eq!(said.code, 7, "{said:?}");
                assert!(said.err.contains("the newest archive: "), "{said:?}");
                assert!(said.err.contains(LATER), "{said:?}");
                assert!(said.err.contains("nothing was changed"), "{said:?}");
                let older = case.archive.file_name().unwrap().to_str().unwrap();
                assert!(
                    said.err.contains(&format!("the next is {older} of 20")),
                    "{said:?}"
                );
                assert!(said.err.contains("--newest-whole"), "{said:?}");
                let noted = broken(&case.site);
                assert!(
                    noted[0].contains(LATER) && noted[1].is_empty(),
                    "{turn}: {noted:?}"
                );
            }
        }
        case.expect(Live, Live);
        assert_eq!(case.leftovers(), [""; 0]);
    }
    // Who says so gets it, and hears of what is passed over.
    let said = case.restore_the("--newest-whole", &["--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = case.restore_the("--newest-whole", &[]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("warning: passed over"), "{said:?}");
    assert!(said.err.contains(LATER), "{said:?}");
    case.expect(Archived, Archived);
    let undo = ["undo", "-c", "pandora_console", ADMIN[0], ADMIN[1]];
    assert_eq!(case.site.run(&undo).code, 0);
    case.expect(Live, Live);

    // None is left.
    std::fs::write(&case.archive, b"").unwrap();
    let said = case.restore_the("--newest-whole", &[]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("there is no other"), "{said:?}");
    // A newest one that is whole needs no word.
    std::fs::write(&newer, &whole).unwrap();
    let said = case.restore_the("--newest", &[]);
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Archived, Archived);
}

/// A nightly timer must not be content while the newest archive is broken.
#[test]
fn a_rehearsal_fails_while_the_newest_archive_is_broken() {
    let (site, server) = crate::backup_server::site();
    site.write(
        "pandora_console/include/config.php",
        &config_php("127.0.0.1", server.port()),
    );
    let said = site.run(&["-c", "pandora_console", "-d", "dest", "-b"]);
    assert_eq!(said.code, 0, "{said:?}");
    let archive: PathBuf = crate::backup::archives(&site.path("dest")).remove(0);
    let name = archive.file_name().unwrap().to_str().unwrap();
    let extension = name.split_once(".tar").unwrap().1;
    let newer = site.path(&format!("dest/{LATER}.tar{extension}"));
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&newer, &whole[..whole.len() / 2]).unwrap();
    for (turn, more) in [&["--all"][..], &["--all"], &[]].into_iter().enumerate() {
        let said = site.run(&[&["rehearse", "--target", "dest"][..], more].concat());
        assert_eq!(said.code, 7, "{said:?}");
        let failed = format!("{LATER}.tar{extension}: FAILED");
        assert!(said.out.contains(&failed), "{said:?}");
        assert!(said.out.contains("FAILED: archive: "), "{said:?}");
        // The one behind it is rehearsed all the same, once.
        let older = format!("{name}: can be restored");
        assert_eq!(said.out.contains(&older), turn == 0, "{turn}: {said:?}");
    }
    // When there is a whole one again it is content, and says no more of the old one.
    let again = format!("dest/{}.tar{extension}", LATER.replace("2099", "2100"));
    std::fs::write(site.path(&again), &whole).unwrap();
    let said = site.run(&["rehearse", "--target", "dest", "--all"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.contains(LATER), "{said:?}");
}

/// A process has died while it took files back: nothing but that goes on.
#[test]
fn files_that_are_half_taken_back_are_taken_back_first() {
    let case = Case::new();
    let restore = ["restore", case.name(), "-f", "-b", "-c", "pandora_console"];
    assert_eq!(case.site.run(&restore).code, 0);
    case.expect(Live, Archived);
    let state = case.site.path("state/elpis/journal.db");
    let state = Some(state).filter(|path| path.exists());
    let path = state.unwrap_or_else(|| case.site.path("state/journal.db"));
    let journal = SqliteJournal::open(&path, None).unwrap();
    let clock = RealClock::new();
    let run = journal.list(&elpis_run::Query::default()).unwrap()[0].id;
    let dead = journal
        .create(&NewRun {
            job: "undo files".to_owned(),
            target: String::new(),
            holder: Holder::current("dead", clock.now()),
            started: clock.now(),
            plan: json!({ "of": run }),
        })
        .unwrap();
    let begun = Event::Intent {
        step: "swap back 0".to_owned(),
        detail: serde_json::Value::Null,
    };
    journal.append(dead, clock.now(), &begun).unwrap();
    for args in [&restore[..], &["resume"], &["forget"]] {
        let said = case.site.run(args);
        assert_eq!(said.code, 3, "{args:?}: {said:?}");
        assert!(said.err.contains("is being taken back"), "{said:?}");
        assert!(said.err.contains("hint: `elpis-backup undo`"), "{said:?}");
    }
    let said = case.site.run(&["list", "--restores", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(list[0]["state"], "undoing");
    let next = format!("elpis-backup undo --run {run}");
    assert_eq!(list[0]["next"], json!([next]));
    assert_eq!(case.site.run(&["undo"]).code, 0);
    case.expect(Live, Live);
    let open = elpis_run::Query {
        open_only: true,
        ..elpis_run::Query::default()
    };
    assert!(journal.list(&open).unwrap().is_empty());
    assert_eq!(case.site.run(&["forget"]).code, 0);
    assert_eq!(case.leftovers(), [""; 0]);
}
