//! A database as the tests see it: through its own command-line client, never through our code.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::table::{Dialect, Row, Table};

/// A throwaway database that is filled and recounted in plain SQL by another client than ours.
pub trait Database: Send + Sync {
    /// The SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs statements, each ended by `;`, and returns what they print: a line a row, columns
    /// separated by tabs, `NULL` for NULL.
    fn sql(&self, statements: &str) -> String;

    /// The number that a query returns.
    fn number(&self, query: &str) -> u64 {
        let text = self.sql(query);
        let text = text.trim();
        text.parse()
            .unwrap_or_else(|_| panic!("{query} returned {text:?}"))
    }

    /// Makes a table.
    fn create(&self, table: &Table) {
        self.sql(&table.ddl(self.dialect()));
    }

    /// Inserts rows in batches. The engine's statistics are up to date afterwards, as they are in
    /// a database that was not filled a moment ago.
    fn insert(&self, table: &Table, rows: &[Row]) {
        let statements: String = rows.chunks(1000).map(|chunk| table.insert(chunk)).collect();
        self.sql(&format!("BEGIN;\n{statements}COMMIT;\n"));
        self.analyse(table);
    }

    /// Brings the engine's statistics of a table up to date.
    fn analyse(&self, table: &Table) {
        if self.dialect() == Dialect::MySql {
            self.sql(&format!("ANALYZE TABLE {} PERSISTENT FOR ALL;", table.name));
        }
    }

    /// All rows, in no order.
    fn rows(&self, table: &Table) -> Vec<Row> {
        let text = self.sql(&table.select(self.dialect()));
        text.lines().map(|line| table.parse(line)).collect()
    }

    /// Inserts `n` rows made by the database itself: `values` are expressions over `n`, which
    /// counts from 1, one for each column. Quick: a million rows take seconds.
    fn fill(&self, table: &Table, n: u64, values: &[&str]) {
        assert_eq!(
            values.len(),
            table.columns.len(),
            "the columns of {}",
            table.name
        );
        let (name, values) = (&table.name, values.join(", "));
        self.sql(&match self.dialect() {
            Dialect::MySql => format!(
                "INSERT INTO {name} SELECT {values} FROM (SELECT seq AS n FROM seq_1_to_{n}) AS s;"
            ),
            Dialect::Sqlite => format!(
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {n}) \
                 INSERT INTO {name} SELECT {values} FROM s;"
            ),
        });
        self.analyse(table);
    }
}

/// Sorts rows, so that two tables can be compared as multisets.
pub fn multiset(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

/// Feeds `input` to a client and returns what it prints.
pub(crate) fn client(command: &mut Command, input: &str) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
    let mut stdin = child.stdin.take().expect("a piped stdin");
    // Written beside the reading of the output, so that neither pipe can fill up and stop both.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A client that fails early closes the pipe; its own message tells more.
            let _ = stdin.write_all(input.as_bytes());
        });
        child.wait_with_output().expect("the client's output")
    });
    let shown: String = input.chars().take(500).collect();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {complaint} at {shown}");
    String::from_utf8(output.stdout).expect("UTF-8 from the client")
}
