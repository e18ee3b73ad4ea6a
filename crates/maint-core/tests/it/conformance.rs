//! The conformance suite over the stores of this crate.

use elpis_testkit::{MariaDb, SqliteFile, conformance_tests};

conformance_tests!(sqlite: SqliteFile::new(); composite_keys, cascades, calendar, relations);
conformance_tests!(mariadb: MariaDb::new(); composite_keys, cascades, calendar, relations);
