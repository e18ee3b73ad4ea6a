//! Every output of the guide, read completely; and the same outputs cut anywhere.

mod installer;
mod state;
mod unit;

use proptest::prelude::*;

use super::*;
use crate::ftd::prompt::Prompt;

macro_rules! golden {
    ($name:literal) => {
        body(include_str!(concat!(
            "../../../../tests/ftd/golden/",
            $name,
            ".txt"
        )))
    };
}
use golden;

/// The transcript without the lines that say where it comes from.
fn body(file: &str) -> String {
    let body = file
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("#: "));
    body.collect::<String>().trim_end_matches('\n').to_owned()
}

/// Every transcript of the guide is read by one of the tests here.
#[test]
fn no_golden_transcript_lies_about_unread() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ftd/golden");
    let tests = concat!(
        include_str!("state.rs"),
        include_str!("installer.rs"),
        include_str!("unit.rs"),
        include_str!("../history.rs")
    );
    let names = std::path::Path::new(directory).read_dir().unwrap();
    let mut count = 0;
    for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let stem = name.strip_suffix(".txt").unwrap();
        let is_read = [format!("golden!(\"{stem}\")"), format!("golden/{name}")]
            .iter()
            .any(|words| tests.contains(words));
        assert!(is_read, "{stem}");
        count += 1;
    }
    assert!(count >= 18, "{count}");
}

proptest! {
    #[test]
    fn no_reader_panics(text in "(This host|Other host|====|State|Failover On|\\PC| |\n|  |:|-){0,60}") {
        let _ = FailoverState::read(&text);
        let _ = Failover::read(&text);
        let _ = Version::read(&text);
        let _ = last_change(&text);
        let _ = latest(&text, None);
        let _ = PackageName::read(&text);
        let _ = Prompt::on(&text);
        let _ = running_installers(&text);
        let _ = free_space(&text);
        let _ = FileStat::read(&text);
    }
}
