//! Anybody's SQL text: it is read to its end or refused, without more memory than a statement may
//! take. What is taken has nothing in it that only a client or an administrator would say.

use std::path::Path;

use elpis_backup::restore::SqlText;
use elpis_run::StopToken;

pub(crate) fn check(sql: &[u8]) {
    // The reader takes files; this one never meets a disk.
    let name = format!("/dev/shm/elpis-fuzz-{}.sql", std::process::id());
    let path = Path::new(&name);
    std::fs::write(path, sql).expect("a file in memory");
    let text = SqlText::open(path);
    if let Ok(text) = text.and_then(|text| text.survey(&StopToken::new(), &())) {
        let survey = text.survey();
        assert!(survey.bytes > 0);
        assert!(!survey.tables.is_empty());
        assert!(survey.longest_statement <= survey.bytes);
    }
    std::fs::remove_file(path).expect("the file in memory");
}
