//! Everything that is not rows: how it is asked for and how it stands in the text.

use std::collections::BTreeSet;

use elpis_mysql::{IdentError, Params, Row, Session, quote};

use super::create::{self, unqualify};
use super::error::DumpError;
use super::facts::Catalogue;
use super::policy::Definers;
use super::query::{Query, bytes, text};
use super::text::comment;

/// The texts of a database's objects, as they were right after the snapshot.
pub(crate) struct Objects {
    /// What has to be there before the rows.
    pub(crate) before: Vec<u8>,
    /// What comes after them.
    pub(crate) after: Vec<u8>,
    pub(crate) definers: BTreeSet<String>,
    pub(crate) warnings: Vec<String>,
    /// What is there and has no text here: routines and the like as kind and name.
    pub(crate) untold: Vec<(String, String)>,
}

/// Asks for everything in `found`. The session's default database becomes that one: the server
/// leaves out its name then, so that the text can be loaded into a database of another name.
pub(crate) async fn objects(
    session: &mut Session,
    found: &Catalogue,
    definers: Definers,
) -> Result<Objects, DumpError> {
    let mut writer = Writer {
        session,
        found,
        omit_definers: definers == Definers::Omit,
        objects: Objects {
            before: Vec::new(),
            after: Vec::new(),
            definers: BTreeSet::new(),
            warnings: Vec::new(),
            untold: Vec::new(),
        },
    };
    writer.all().await?;
    Ok(writer.objects)
}

struct Writer<'a> {
    session: &'a mut Session,
    found: &'a Catalogue,
    omit_definers: bool,
    objects: Objects,
}

impl Writer<'_> {
    async fn all(&mut self) -> Result<(), DumpError> {
        let found = self.found;
        let database = quoted(&found.name)?;
        self.session.tell(&format!("USE {database}")).await?;
        for name in &found.sequences {
            self.sequence(name).await?;
        }
        for table in &found.tables {
            self.table(&table.name).await?;
        }
        for name in &found.views {
            self.placeholder(name)?;
        }
        // Bodies come in the character set in which they were written, and go into the text like
        // that: the server keeps which one it was, and so must whoever loads it.
        self.session
            .tell("SET SESSION character_set_results = NULL")
            .await?;
        for name in &found.triggers {
            self.body("TRIGGER", name).await?;
        }
        for routine in &found.routines {
            self.body(&routine.kind, &routine.name).await?;
        }
        for name in &found.views {
            self.view(name).await?;
        }
        for name in &found.events {
            self.body("EVENT", name).await?;
        }
        self.session.tell("SET NAMES utf8mb4").await
    }

    async fn sequence(&mut self, name: &str) -> Result<(), DumpError> {
        let sequence = quoted(name)?;
        let Some(row) = self.show("SEQUENCE", &sequence).await? else {
            return Ok(());
        };
        let state: Option<(i64, i64)> = self
            .session
            .ask_first(
                &format!("SELECT next_not_cached_value, cycle_count FROM {sequence}"),
                Params::Empty,
            )
            .await?;
        self.title("Sequence", name);
        self.objects
            .before
            .extend_from_slice(format!("DROP SEQUENCE IF EXISTS {sequence};\n").as_bytes());
        self.objects.before.extend_from_slice(&column(&row, 1));
        self.objects.before.extend_from_slice(b";\n");
        if let Some((next, cycle)) = state {
            // Not a SELECT: a client would print its result.
            let set = format!("DO SETVAL({sequence}, {next}, 0, {cycle});\n");
            self.objects.before.extend_from_slice(set.as_bytes());
        }
        Ok(())
    }

    async fn table(&mut self, name: &str) -> Result<(), DumpError> {
        let (database, table) = (quoted(&self.found.name)?, quoted(name)?);
        let Some(row) = self.show("TABLE", &table).await? else {
            return Ok(());
        };
        self.title("Table structure for table", name);
        let before = &mut self.objects.before;
        before.extend_from_slice(format!("DROP TABLE IF EXISTS {table};\n").as_bytes());
        before.extend_from_slice(&unqualify(&column(&row, 1), &database));
        before.extend_from_slice(b";\n");
        Ok(())
    }

    /// A view of the same columns, for views and routines that use it before it is made.
    fn placeholder(&mut self, name: &str) -> Result<(), DumpError> {
        let view = quoted(name)?;
        let columns = self.found.view_columns.get(name);
        // Of one that a restore carries along although its definer is lost nobody sees the columns.
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else {
            return Ok(());
        };
        let columns: Result<Vec<String>, DumpError> = columns
            .iter()
            .map(|column| Ok(format!("1 AS {}", quoted(column)?)))
            .collect();
        self.title("Placeholder for view", name);
        let sql = format!(
            "DROP TABLE IF EXISTS {view};\nDROP VIEW IF EXISTS {view};\n\
             CREATE VIEW {view} AS SELECT {};\n",
            columns?.join(", ")
        );
        self.objects.before.extend_from_slice(sql.as_bytes());
        Ok(())
    }

    async fn view(&mut self, name: &str) -> Result<(), DumpError> {
        let view = quoted(name)?;
        let Some(row) = self.show("VIEW", &view).await? else {
            return Ok(());
        };
        if !self.found.view_columns.contains_key(name) {
            // Nobody could load it, and the failure would end the whole restore.
            let untold = ("VIEW".to_owned(), name.to_owned());
            self.objects.untold.push(untold);
            self.objects.warnings.push(format!(
                "view {}.{name} refers to something that does not exist; it is not in the dump",
                self.found.name
            ));
            return Ok(());
        }
        let create = self.without_definer(column(&row, 1));
        let context = Context {
            charset: text_of(&row, 2),
            collation: text_of(&row, 3),
            ..Context::default()
        };
        self.title_after("View", name);
        let drop = format!("DROP VIEW IF EXISTS {view};\n");
        context.wrap(&mut self.objects.after, &drop, &create);
        Ok(())
    }

    /// A trigger, routine or event: something with a body.
    async fn body(&mut self, kind: &str, name: &str) -> Result<(), DumpError> {
        let quoted_name = quoted(name)?;
        let Some(row) = self.show(kind, &quoted_name).await? else {
            return Ok(());
        };
        // name, sql_mode, [time_zone,] text, client, connection, database collation
        let shift = usize::from(kind == "EVENT");
        let create = column(&row, 2 + shift);
        if create.is_empty() {
            let untold = (kind.to_owned(), name.to_owned());
            self.objects.untold.push(untold);
            self.objects.warnings.push(format!(
                "{} {}.{name}: the account may not read it; it is not in the dump",
                kind.to_lowercase(),
                self.found.name
            ));
            return Ok(());
        }
        let context = Context {
            sql_mode: Some(text_of(&row, 1)),
            time_zone: (kind == "EVENT").then(|| text_of(&row, 2)),
            charset: text_of(&row, 3 + shift),
            collation: text_of(&row, 4 + shift),
            database: self.other_collation(&text_of(&row, 5 + shift)),
        };
        let create = self.without_definer(create);
        self.title_after(kind, name);
        let drop = format!("DROP {kind} IF EXISTS {quoted_name};\n");
        context.wrap(&mut self.objects.after, &drop, &create);
        Ok(())
    }

    /// `SHOW CREATE`; nothing if the object has just been removed.
    async fn show(&mut self, kind: &str, name: &str) -> Result<Option<Row>, DumpError> {
        let sql = format!("SHOW CREATE {kind} {name}");
        match self.session.first(&sql, Params::Empty).await {
            Ok(row) => Ok(row),
            Err(error) if matches!(error.code(), Some(1305 | 1360 | 1539)) => {
                self.objects.warnings.push(format!(
                    "{} {}.{name} was removed while the dump began",
                    kind.to_lowercase(),
                    self.found.name
                ));
                Ok(None)
            }
            Err(source) => Err(DumpError::server(sql, source)),
        }
    }

    fn without_definer(&mut self, create: Vec<u8>) -> Vec<u8> {
        let Some(found) = create::definer(&create) else {
            return create;
        };
        self.objects.definers.insert(found.account);
        if !self.omit_definers {
            return create;
        }
        [&create[..found.from], &create[found.to..]].concat()
    }

    /// The collation to give the database for a moment, because the object was made under it,
    /// and the one to give back.
    fn other_collation(&self, collation: &str) -> Option<(String, String)> {
        let own = &self.found.collation;
        (!collation.is_empty() && collation != own).then(|| (collation.to_owned(), own.clone()))
    }

    fn title(&mut self, kind: &str, name: &str) {
        self.objects
            .before
            .extend_from_slice(title(kind, name).as_bytes());
    }

    fn title_after(&mut self, kind: &str, name: &str) {
        self.objects
            .after
            .extend_from_slice(title(kind, name).as_bytes());
    }
}

fn title(kind: &str, name: &str) -> String {
    format!("\n--\n-- {kind} `{}`\n--\n\n", comment(name))
}

/// The state of a session in which an object was made and must be made again.
#[derive(Default)]
struct Context {
    sql_mode: Option<String>,
    time_zone: Option<String>,
    charset: String,
    collation: String,
    database: Option<(String, String)>,
}

impl Context {
    /// `create` is the statement in its own character set, without an end. `drop` stands inside
    /// as well: packages are only known in the mode in which they were made.
    fn wrap(&self, out: &mut Vec<u8>, drop: &str, create: &[u8]) {
        let mut set = vec![
            ("character_set_client", self.charset.clone()),
            ("character_set_results", self.charset.clone()),
            ("collation_connection", self.collation.clone()),
        ];
        let quote = |value: &String| format!("'{}'", value.replace('\'', "''"));
        set.extend(self.sql_mode.as_ref().map(|mode| ("sql_mode", quote(mode))));
        set.extend(
            self.time_zone
                .as_ref()
                .map(|zone| ("time_zone", quote(zone))),
        );
        let save = set
            .iter()
            .map(|(name, _)| format!("@saved_{name} = @@{name}"));
        let save: Vec<String> = save.collect();
        let change: Vec<String> = set
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let restore: Vec<String> = set
            .iter()
            .map(|(name, _)| format!("{name} = @saved_{name}"))
            .collect();
        let mut line = |text: String| out.extend_from_slice(text.as_bytes());
        if let Some((collation, _)) = &self.database {
            line(format!("ALTER DATABASE COLLATE {collation};\n"));
        }
        line(format!("SET {};\n", save.join(", ")));
        line(format!("SET {};\n", change.join(", ")));
        line(format!("{drop}DELIMITER ;;\n"));
        out.extend_from_slice(create);
        let mut line = |text: String| out.extend_from_slice(text.as_bytes());
        line("\n;;\nDELIMITER ;\n".to_owned());
        line(format!("SET {};\n", restore.join(", ")));
        if let Some((_, collation)) = &self.database {
            line(format!("ALTER DATABASE COLLATE {collation};\n"));
        }
    }
}

fn quoted(name: &str) -> Result<String, DumpError> {
    quote(name).map_err(|error| unquotable(name, &error))
}

/// A name that the server has but that cannot be written.
pub(super) fn unquotable(name: &str, error: &IdentError) -> DumpError {
    DumpError::Undumpable {
        what: format!("{name:?}"),
        reason: error.to_string(),
    }
}

fn column(row: &Row, index: usize) -> Vec<u8> {
    row.as_ref(index).map(bytes).unwrap_or_default()
}

fn text_of(row: &Row, index: usize) -> String {
    row.as_ref(index).map(text).unwrap_or_default()
}
