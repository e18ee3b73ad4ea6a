//! What a statement of a dump is. What is not recognised is not carried out.

/// A statement that a dump may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) enum Kind {
    /// `INSERT` or `REPLACE` with values, which begin at byte `values`.
    Rows { table: String, values: usize },
    /// `CREATE TABLE`
    Table { table: String },
    /// `DROP TABLE`
    NoTable { tables: Vec<String> },
    /// Sequences, and what removes something before it is made.
    Schema,
    /// `ALTER TABLE` and `CREATE INDEX`, for rows that are there already.
    Alter { table: String },
    /// Something that is not rows and may need all of them; whether it is made or removed, and
    /// the table of a trigger that is made.
    Object {
        object: Object,
        name: String,
        table: Option<String>,
        is_made: bool,
    },
    /// A `SET` of the session.
    Set,
    /// `ALTER DATABASE`: what stands from byte `options` on.
    Collate { options: usize },
    /// `USE`, or what makes or removes the database that the text is of, with its name. A restore
    /// does that by itself.
    Use { database: String },
    /// What a restore does by itself: locks and transactions.
    Skip,
}

impl Kind {
    /// Whether it makes something that has statements of its own.
    pub(in crate::restore) fn is_body(&self) -> bool {
        let of = |object: &Object| *object != Object::View;
        matches!(self, Kind::Object { object, is_made: true, .. } if of(object))
    }

    /// Whether it makes a view.
    pub(super) fn makes_view(&self) -> bool {
        let of = |object: &Object| *object == Object::View;
        matches!(self, Kind::Object { object, is_made: true, .. } if of(object))
    }

    /// Whether it removes a routine. In a new database there is none, but the server may have code
    /// of that name in a plugin, and would remove that.
    pub(in crate::restore) fn removes_routine(&self) -> bool {
        let of = |object: &Object| *object == Object::Routine;
        matches!(self, Kind::Object { object, is_made: false, .. } if of(object))
    }
}

/// What is made after the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Object {
    View,
    Trigger,
    Routine,
    /// Its statement would make it fire.
    Event,
}

/// A statement that no dump of one database holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It is of no known kind.
    #[error("`{start}` is not a statement of a dump; only what dumps hold is carried out")]
    Unknown {
        /// How it begins.
        start: String,
    },
    /// It names a database, and everything belongs into the one that is restored.
    #[error("`{start}` names a database; everything must belong into the one that is restored")]
    Qualified {
        /// How it begins.
        start: String,
    },
    /// It would change the server and not only the session.
    #[error("`{start}` would change the server, not only the session")]
    Global {
        /// How it begins.
        start: String,
    },
    /// It goes on behind its end.
    #[error("`{start}` is followed by another statement before the delimiter")]
    Several {
        /// How it begins.
        start: String,
    },
    /// It does not hold what it brings, but has the server copy it or work it out.
    #[error("`{start}` has the server work something out (`{what}`); a dump holds what it brings")]
    Computed {
        /// How it begins.
        start: String,
        /// The word or sign.
        what: String,
    },
    /// Its character set hides quotes.
    #[error("`{start}` chooses a character set whose letters may end in a quote or a backslash")]
    Charset {
        /// How it begins.
        start: String,
    },
    /// What it is depends on the version of the server.
    #[error("`{start}` is something else for servers that pass over its versioned comments")]
    Differs {
        /// How it begins then.
        start: String,
    },
    /// Rows that are not written out.
    #[error("`{start}` has no VALUES")]
    NoValues {
        /// How it begins.
        start: String,
    },
}
