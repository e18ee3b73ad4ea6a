//! Anybody's SQL text: it is read to its end or refused, without more memory than a statement may
//! take.
#![no_main]

use std::path::Path;

use elpis_backup::restore::SqlText;
use elpis_run::StopToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sql: &[u8]| {
    // The reader takes files; this one never meets a disk.
    let name = format!("/dev/shm/elpis-fuzz-{}.sql", std::process::id());
    let path = Path::new(&name);
    std::fs::write(path, sql).expect("a file in memory");
    let text = SqlText::open(path);
    if let Ok(text) = text.and_then(|text| text.survey(&StopToken::new(), &())) {
        let survey = text.survey();
        assert!(survey.bytes > 0);
        assert!(!survey.tables.is_empty());
    }
    std::fs::remove_file(path).expect("the file in memory");
});
