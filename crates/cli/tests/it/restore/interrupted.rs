//! Ctrl-C in the middle of a restore: it ends at the next safe point, and both ways lead on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{ADMIN, Archived, Case, Live};
use crate::harness::Said;

impl Case {
    /// Restores until the signal was in time.
    fn interrupt(&self, more: &[&str], at: &str) -> Said {
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries <= 20, "the signal never comes in time");
            let said = self.restore_and_interrupt(more, at);
            if said.code != 0 {
                return said;
            }
            // It was done before it heard of it.
            self.expect(Archived, Archived);
            assert_eq!(self.again("undo").code, 0);
            assert_eq!(self.again("forget").code, 0);
        }
    }

    /// Restores and sends the signal as soon as this is said.
    fn restore_and_interrupt(&self, more: &[&str], at: &str) -> Said {
        let args = ["restore", self.name(), "-f", "-c", "pandora_console"];
        let mut command = self.site.command(&[&args[..], &ADMIN, more].concat());
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut err = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if line.ends_with(&format!("] {at}")) {
                let id = child.id().to_string();
                let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
                assert!(sent.success());
            }
            err += &format!("{line}\n");
        }
        let code = child.wait().unwrap().code().unwrap_or(-1);
        let out = String::new();
        Said { out, err, code }
    }

    fn again(&self, verb: &str) -> Said {
        let from = ["--from", self.name()];
        let more: &[&str] = if verb == "resume" { &from } else { &[] };
        let args = [verb, "-c", "pandora_console"];
        self.site.run(&[&args[..], &ADMIN, more].concat())
    }
}

#[test]
fn an_interrupted_restore_changes_nothing_and_can_be_finished() {
    let case = Case::new();
    let said = case.interrupt(&[], "load");
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.err.contains("elpis-backup resume"), "{said:?}");
    case.expect(Live, Live);
    let next = case.site.run(&["list", "--restores"]);
    assert!(next.out.contains("not finished"), "{next:?}");
    let said = case.again("resume");
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Archived, Archived);
    assert_eq!(case.again("undo").code, 0);
    case.expect(Live, Live);
    assert_eq!(case.again("forget").code, 0);

    let said = case.interrupt(&[], "load");
    assert_eq!(said.code, 130, "{said:?}");
    assert_eq!(case.again("undo").code, 0);
    case.expect(Live, Live);
    assert_eq!(case.again("forget").code, 0);
    assert_eq!(case.leftovers(), [""; 0]);
}

/// While rows follow, the product works with the new database already.
#[test]
fn an_interrupted_filling_goes_on_or_back() {
    let case = Case::new();
    let said = case.interrupt(&["--config-first"], "fill");
    assert_eq!(said.code, 130, "{said:?}");
    assert!(!case.database().1 && case.files().0 == "<?php\n");
    let said = case.again("resume");
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Archived, Archived);
    assert_eq!(case.again("undo").code, 0);
    case.expect(Live, Live);
}

#[test]
fn what_is_taken_back_cannot_be_resumed() {
    let case = Case::new();
    let args = ["restore", case.name(), "-f", "-b", "-c", "pandora_console"];
    let said = case.site.run(&[&args[..], &ADMIN].concat());
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Live, Archived);
    assert_eq!(case.again("undo").code, 0);
    let said = case.again("resume");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("is taken back"), "{said:?}");
    case.expect(Live, Live);
}
