//! One test's own world: a directory with a database, a configuration and a state directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use elpis_maint_core::demo::{self, DemoSpec};
use jiff::Timestamp;

/// A fixed day, so that the rows are the same whenever the tests run.
pub(crate) const FIXED: i64 = 1_767_225_600;

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
}

/// What the binary wrote and how it ended.
#[derive(Debug)]
#[must_use]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl World {
    pub(crate) fn empty() -> World {
        World {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// With a database of about `rows` rows that end on a fixed day, and `policy` for it.
    pub(crate) fn with(rows: u64, policy: &str) -> World {
        let world = World::empty();
        let spec = DemoSpec {
            rows,
            days: 20,
            seed: 1,
            now: Timestamp::from_second(FIXED).unwrap(),
        };
        demo::create(&world.database(), &spec, &mut |_| {}).unwrap();
        world.configure(policy);
        world
    }

    pub(crate) fn configure(&self, policy: &str) {
        self.write(
            "maint.toml",
            &format!(
                "[database]\nkind = \"sqlite\"\npath = \"m.db\"\n\n\
                 [state]\ndirectory = \"state\"\n\n{policy}"
            ),
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("m.db")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elpis-maint"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("TZ", "UTC")
            .env("ELPIS_CONFIG", self.path("maint.toml"))
            .current_dir(self.dir.path())
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.said(&self.command(args).output().unwrap())
    }

    pub(crate) fn said(&self, output: &Output) -> Said {
        Said {
            out: self.tidy(&output.stdout),
            err: self.tidy(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Without what differs from run to run on its own account. Nobody looks at it on a terminal, so
    /// that nothing may draw.
    fn tidy(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let drawn = text.find(|c: char| c.is_control() && !['\n', '\t'].contains(&c));
        assert_eq!(drawn, None, "a control character: {text:?}");
        text.replace(&self.dir.path().display().to_string(), "[DIR]")
    }
}

/// Keeps rows by number: the cutoffs come from the data, not from today.
pub(crate) const KEEP_ROWS: &str = r#"
[policy]
max_share = 0.95

[policy.throttle]
target_ms = 4
duty = 0.5

[[policy.table]]
name = "tagente_datos"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { rows = 4000 }

[[policy.table]]
name = "tevento"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { rows = 50 }

[[policy.table]]
name = "tagente_datos_string"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { rows = 60 }
"#;

/// Everything of one table is expired.
pub(crate) const ALL_EXPIRED: &str = r#"
[policy]
max_share = 1.0

[[policy.table]]
name = "tagente_datos"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { days = 1 }
"#;

/// The same, in tiny chunks with long pauses: a run that takes its time.
pub(crate) const SLOW: &str = r#"
[policy]
max_share = 1.0

[policy.throttle]
max_rows = 20
min_rows = 20
duty = 0.01

[[policy.table]]
name = "tagente_datos"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { days = 1 }
"#;

/// The rows of `tagente_datos` that have a time, counted without the engine.
pub(crate) fn timed_numbers(database: &Path) -> u64 {
    let cutoffs = std::collections::BTreeMap::from([("tagente_datos".to_owned(), i64::MAX)]);
    demo::survey(database, &cutoffs).unwrap().tables[0].expired
}

/// Replaces the values of `keys`, at any depth, by `[key]`.
pub(crate) fn redact(value: &mut serde_json::Value, keys: &[&str]) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                if keys.contains(&key.as_str()) {
                    *value = format!("[{key}]").into();
                } else {
                    redact(value, keys);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| redact(item, keys)),
        _ => {}
    }
}
