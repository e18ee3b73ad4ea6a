//! Statements stay with the index where the server's statistics are of another time. The oracle is
//! the server's own slow log, which tells how many rows each statement read.

use std::time::Duration;

use elpis_maint_core::moves::{ChildMove, MoveTask};
use elpis_maint_core::store::{MoveSide, MoveStore, RowKey};
use elpis_maint_core::sweep::{Dependent, Expr, Join, SweepAct, SweepTask, SweepWalk};
use elpis_maint_core::{Cascade, Due, MySqlStore, PurgeTask, RelationStore, Scalar, Store, Walk};
use elpis_testkit::{Database, MariaDb};

/// Rows of each table, of which a statement must not read more than some.
const ROWS: u64 = 20_000;
/// Keys that one chunk is about: what one look may find at most.
const KEYS: u64 = 2_000;

/// How statistics came to be wrong.
#[derive(Debug, Clone, Copy)]
enum Analysed {
    /// With ten rows: to read all of them is the cheapest way.
    WhenSmall,
    /// With one value in every row, and never again: as if each key had all rows.
    WhenUniform,
}

/// Events, details of events and files of details, each with an index of its own.
struct Family {
    db: MariaDb,
    _server: elpis_mysql::PrivateServer,
}

impl Family {
    fn new(analysed: Analysed) -> Family {
        let server = MariaDb::own_server(&[
            "--slow-query-log=1",
            "--long-query-time=0",
            "--log-output=TABLE",
        ]);
        let family = Family {
            db: MariaDb::on(&server),
            _server: server,
        };
        // What InnoDB knows by itself is as old as what ANALYZE wrote down.
        family.db.sql(
            "CREATE TABLE events (id INT PRIMARY KEY, mark INT NOT NULL, utimestamp BIGINT, \
               KEY by_time (utimestamp)) ENGINE=InnoDB STATS_AUTO_RECALC=0; \
             CREATE TABLE details (id INT PRIMARY KEY, owner INT NOT NULL, text VARCHAR(80), \
               KEY by_owner (owner)) ENGINE=InnoDB STATS_AUTO_RECALC=0; \
             CREATE TABLE files LIKE details; CREATE TABLE notes LIKE details;",
        );
        let tables = ["events", "details", "files", "notes"];
        let fill = |first: u64, last: u64, owner: &str| {
            family.db.sql(&format!(
                "INSERT INTO events SELECT seq, 0, seq FROM seq_{first}_to_{last};"
            ));
            for table in &tables[1..] {
                family.db.sql(&format!(
                    "INSERT INTO {table} SELECT seq, {owner}, REPEAT('x', 60) \
                     FROM seq_{first}_to_{last};"
                ));
            }
        };
        let analyse = || {
            let list = tables.join(", ");
            family
                .db
                .sql(&format!("ANALYZE TABLE {list} PERSISTENT FOR ALL;"));
        };
        match analysed {
            Analysed::WhenSmall => {
                fill(1, 10, "seq");
                analyse();
                fill(11, ROWS, "seq");
            }
            Analysed::WhenUniform => {
                fill(1, ROWS, "1");
                analyse();
                for table in &tables[1..] {
                    family.db.sql(&format!("UPDATE {table} SET owner = id;"));
                }
            }
        }
        family
    }

    async fn store(&self) -> MySqlStore {
        self.db.sql("TRUNCATE mysql.slow_log;");
        self.db.store().await
    }

    /// No statement since [`Family::store`] read much more than what it is about. The test's own
    /// statements do not quote names.
    fn assert_bounded(&self, least: usize, what: &str) {
        let log = self.db.sql(&format!(
            "SELECT rows_examined, REPLACE(REPLACE(sql_text, '\\n', ' '), '\\t', ' ') \
             FROM mysql.slow_log WHERE db = '{}' \
             AND sql_text REGEXP '`(events|details|files|notes)`';",
            self.db.name()
        ));
        let statements = log.lines().count();
        assert!(statements >= least, "{what}: {statements} statements");
        for line in log.lines() {
            let (examined, text) = line.split_once('\t').unwrap();
            let examined: u64 = examined.parse().unwrap();
            let text: String = text.chars().take(160).collect();
            assert!(
                examined <= 2 * KEYS + 100,
                "{what}: {examined} rows read by {text}"
            );
        }
    }

    fn rows(&self) -> [u64; 4] {
        ["events", "details", "files", "notes"]
            .map(|table| self.db.number(&format!("SELECT COUNT(*) FROM {table};")))
    }
}

fn keys(numbers: impl Iterator<Item = u64>) -> Vec<RowKey> {
    numbers.map(|n| vec![Scalar::Int(n as i64)]).collect()
}

/// Every tenth event, from all over the table.
fn scattered() -> Vec<RowKey> {
    keys((1..=KEYS).map(|n| n * 10))
}

fn sweep(act: SweepAct) -> SweepTask {
    SweepTask {
        table: "events".to_owned(),
        walk: SweepWalk::Key {
            columns: vec!["id".to_owned()],
            index: Some("PRIMARY".to_owned()),
        },
        filters: Vec::new(),
        missing: Vec::new(),
        present: Vec::new(),
        act,
    }
}

async fn sweeps_stay_with_the_index(analysed: Analysed) {
    let family = Family::new(analysed);
    let files = Dependent::new("files", "owner", "id");
    let mut notes = Dependent::new("notes", "owner", "id");
    notes.fate = elpis_maint_core::sweep::Fate::Detach;
    family.db.sql("ALTER TABLE notes MODIFY owner INT NULL;");
    let delete = sweep(SweepAct::Delete {
        dependents: vec![
            Dependent::new("details", "owner", "id").with(vec![files]),
            notes,
        ],
        marks: Vec::new(),
    });
    let set = sweep(SweepAct::Set {
        values: vec![("mark".to_owned(), Expr::Value(Scalar::Int(1)))],
    });
    let add = sweep(SweepAct::Insert {
        into: "notes".to_owned(),
        values: vec![
            ("id".to_owned(), Expr::Column("id".to_owned())),
            ("owner".to_owned(), Expr::Column("id".to_owned())),
        ],
        settle: Duration::ZERO,
    });
    let mut store = family.store().await;
    let found = scattered();
    let weighed = store.weigh(&delete, &found).await.unwrap();
    assert_eq!((weighed.rows, weighed.dependents), (KEYS, vec![KEYS; 3]));
    if let Analysed::WhenUniform = analysed {
        // In which order the counts of a plan join tables is the server's choice: they lock nothing.
        family.db.sql("TRUNCATE mysql.slow_log;");
    }
    let swept = store.sweep(&set, &found, KEYS).await.unwrap();
    assert_eq!((swept.changed, swept.complete), (KEYS, true));
    let marked = "SELECT COUNT(*) FROM events WHERE mark = 1 AND id % 10 = 0;";
    assert_eq!(family.db.number(marked), KEYS);
    // What hangs on the rows is as much as one call may take of it.
    let mut dependents = [0; 3];
    let mut changed = 0;
    for _ in 0..9 {
        let swept = store.sweep(&delete, &found, KEYS).await.unwrap();
        changed += swept.changed;
        for (sum, more) in dependents.iter_mut().zip(&swept.dependents) {
            *sum += more;
        }
        if swept.complete {
            break;
        }
    }
    assert_eq!((changed, dependents), (KEYS, [KEYS; 3]));
    let left = ROWS - KEYS;
    assert_eq!(family.rows(), [left, left, left, ROWS]);
    family.db.sql("DELETE FROM notes;");
    let others = keys((1..=KEYS).map(|n| n * 10 - 1));
    let swept = store.sweep(&add, &others, KEYS).await.unwrap();
    assert_eq!((swept.changed, family.rows()[3]), (KEYS, KEYS));

    // Details of events that are gone, by the values of their column.
    family
        .db
        .sql("UPDATE details SET owner = owner + 1 WHERE owner % 10 = 9;");
    let mut orphans = sweep(SweepAct::Delete {
        dependents: Vec::new(),
        marks: Vec::new(),
    });
    orphans.table = "details".to_owned();
    orphans.walk = SweepWalk::Values {
        column: "owner".to_owned(),
        index: "by_owner".to_owned(),
    };
    orphans.missing = vec![Join {
        table: "events".to_owned(),
        on: vec![("owner".to_owned(), "id".to_owned())],
        filters: Vec::new(),
    }];
    let weighed = store.weigh(&orphans, &found).await.unwrap();
    assert_eq!(weighed.rows, KEYS);
    let swept = store.sweep(&orphans, &found, KEYS + 1).await.unwrap();
    assert_eq!((swept.changed, swept.complete), (KEYS, true));
    family.assert_bounded(60, &format!("sweeps, {analysed:?}"));
}

#[tokio::test]
async fn sweeps_stay_with_the_index_whatever_was_analysed() {
    sweeps_stay_with_the_index(Analysed::WhenSmall).await;
    sweeps_stay_with_the_index(Analysed::WhenUniform).await;
}

async fn purges_stay_with_the_index(analysed: Analysed) {
    let family = Family::new(analysed);
    let child = |table: &str, cascades| Cascade {
        table: table.to_owned(),
        column: "owner".to_owned(),
        parent_column: "id".to_owned(),
        own: None,
        cascades,
    };
    let task = PurgeTask {
        table: "events".to_owned(),
        due: Due {
            time_column: "utimestamp".to_owned(),
            cutoff: Scalar::Int(KEYS as i64 + 1),
            filters: Vec::new(),
            where_sql: None,
        },
        walk: Walk::Time {
            index: "by_time".to_owned(),
            then: Vec::new(),
        },
        cascades: vec![
            child("details", vec![child("files", Vec::new())]),
            child("notes", Vec::new()),
        ],
    };
    let mut store = family.store().await;
    let purged = store.purge_chunk(&task, None, KEYS + 1).await.unwrap();
    assert_eq!((purged.deleted, purged.cascaded), (KEYS, vec![KEYS; 3]));
    assert_eq!(family.rows(), [ROWS - KEYS; 4]);
    family.assert_bounded(40, &format!("purges, {analysed:?}"));
}

#[tokio::test]
async fn purges_stay_with_the_index_whatever_was_analysed() {
    purges_stay_with_the_index(Analysed::WhenSmall).await;
    purges_stay_with_the_index(Analysed::WhenUniform).await;
}

async fn moves_stay_with_the_index(analysed: Analysed) {
    let (active, history) = (Family::new(analysed), Family::new(analysed));
    // The other side has rows of its own, and some of these.
    let own = KEYS / 2;
    for table in ["events", "details"] {
        history
            .db
            .sql(&format!("DELETE FROM {table} WHERE id <= {own};"));
    }
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let task = MoveTask {
        table: "events".to_owned(),
        time_column: "utimestamp".to_owned(),
        index: "by_time".to_owned(),
        cutoff: Scalar::Int(KEYS as i64 + 1),
        columns: columns(&["id", "mark", "utimestamp"]),
        lost: Vec::new(),
        key: Some("id".to_owned()),
        split: None,
        children: vec![ChildMove {
            table: "details".to_owned(),
            column: "owner".to_owned(),
            columns: columns(&["id", "owner", "text"]),
            lost: Vec::new(),
            key: "id".to_owned(),
        }],
    };
    let (mut from, mut to) = (active.store().await, history.store().await);
    from.begin_moves(MoveSide::Active).await.unwrap();
    to.begin_moves(MoveSide::History).await.unwrap();
    let batch = from.hold(&task, KEYS, None).await.unwrap().unwrap();
    assert_eq!(batch.rows.len() as u64, KEYS);
    let id = to.new_move().await.unwrap();
    to.receive(&task, &batch, &id, false).await.unwrap();
    assert!(from.delete_held(&task, &batch, &id).await.unwrap());
    let left = ROWS - KEYS;
    assert_eq!(active.rows(), [left, left, ROWS, ROWS]);
    assert_eq!(history.rows(), [ROWS; 4]);
    active.assert_bounded(30, &format!("moves, active side, {analysed:?}"));
    history.assert_bounded(30, &format!("moves, history side, {analysed:?}"));
}

#[tokio::test]
async fn moves_stay_with_the_index_whatever_was_analysed() {
    moves_stay_with_the_index(Analysed::WhenSmall).await;
    moves_stay_with_the_index(Analysed::WhenUniform).await;
}
