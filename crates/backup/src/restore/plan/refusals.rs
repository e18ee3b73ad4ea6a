//! Why a restore will not be done.

use super::RestorePlan;
use crate::restore::accept::{Accept, Refusal};
use crate::restore::facts::{LiveFacts, RestoreFacts};
use crate::restore::policy::RestorePolicy;
use crate::restore::survey::Survey;

impl RestorePlan {
    /// Everything that forbids it, but for what the operator accepts.
    pub(super) fn refuse(&self, survey: &Survey) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut refuse = |accept: Option<Accept>, what: String| {
            if !accept.is_some_and(|accept| self.accepts(accept)) {
                refusals.push(Refusal { accept, what });
            }
        };
        let (facts, database) = (&self.facts, &self.policy.database);
        for what in self.policy.wrong() {
            refuse(None, what);
        }
        for missing in &facts.missing {
            refuse(None, format!("the account lacks {missing}"));
        }
        if let Some(what) = self.other_product(survey) {
            refuse(Some(Accept::Schema), what);
        }
        if let Some(what) = other_server(facts, survey) {
            refuse(Some(Accept::Server), what);
        }
        for what in self
            .parts_wrong(survey)
            .into_iter()
            .chain(self.rows_wrong(survey))
        {
            refuse(None, what);
        }
        let exchanges = self.policy.scope.rows().is_none();
        if let (Some(live), Some((charset, collation))) = (&facts.live, &self.charset)
            && self.policy.scope.is_whole()
            && (live.charset != *charset || live.collation != *collation)
        {
            let was = format!("{} ({})", live.charset, live.collation);
            refuse(
                Some(Accept::Charset),
                format!(
                    "{database} has the default character set {was}, the backup {charset} ({collation})"
                ),
            );
        }
        for collation in &facts.unknown_collations {
            refuse(
                None,
                format!("the server does not know the collation {collation}"),
            );
        }
        if !self.left_out.is_empty() {
            let all = self.left_out.iter();
            let all: Vec<String> = all.map(|(view, why)| format!("{view} ({why})")).collect();
            refuse(
                Some(Accept::Views),
                format!(
                    "the server cannot make these views of the backup: {}; bring back what they \
                     stand on, or do without them",
                    all.join(", ")
                ),
            );
        }
        if let Some(primary) = &facts.replica_of {
            refuse(
                Some(Accept::Replica),
                format!("the server is a replica of {primary}: restore there"),
            );
        }
        if facts.read_only {
            refuse(Some(Accept::Replica), "the server is read-only".to_owned());
        }
        if survey.longest_statement >= facts.max_allowed_packet {
            refuse(
                None,
                format!(
                    "the longest statement has {} bytes, and the server's max_allowed_packet is {}: raise it",
                    survey.longest_statement, facts.max_allowed_packet
                ),
            );
        }
        if let Some(what) = self.packet_wrong().filter(|_| exchanges) {
            refuse(None, what);
        }
        if let Some(free) = facts.free.filter(|free| *free < self.needed) {
            refuse(
                Some(Accept::Space),
                format!(
                    "{free} bytes are free for the server's data, and {} may be needed",
                    self.needed
                ),
            );
        }
        if exchanges && !has_atomic_rename(facts) {
            refuse(
                Some(Accept::NonAtomic),
                format!(
                    "a crash of {} in the middle of the exchange could leave half of it",
                    facts.version_text
                ),
            );
        }
        if let Some(live) = facts.live.as_ref().filter(|_| exchanges) {
            for foreign in &live.foreign {
                refuse(
                    None,
                    format!("the foreign key {foreign} leads to or from another database"),
                );
            }
            for (accept, what) in self.not_made_again(live, survey) {
                refuse(accept, what);
            }
            if !facts.sees_users && !facts.stops_services {
                refuse(
                    Some(Accept::Writers),
                    format!(
                        "without PROCESS ON *.* the account sees only its own connections: whether \
                         somebody works with {database} cannot be told, and no service is stopped"
                    ),
                );
            }
            if !live.users.is_empty() && !facts.stops_services {
                let users = live.users.join(", ");
                refuse(
                    Some(Accept::Writers),
                    format!("{database} is in use by {users}, and no service is stopped"),
                );
            }
        }
        for table in self.tables.iter().filter(|table| table.text.uses_sequence) {
            refuse(
                None,
                format!(
                    "table {} takes a default from a sequence, which cannot be moved with it",
                    table.text.name
                ),
            );
        }
        for name in [&self.side, &self.old] {
            if facts.databases.contains(name) {
                refuse(None, format!("there is a database {name} already"));
            }
        }
        refusals
    }

    /// What of the live database would be gone for good.
    fn not_made_again(&self, live: &LiveFacts, survey: &Survey) -> Vec<(Option<Accept>, String)> {
        let database = &self.policy.database;
        let unreadable = live.unreadable.iter().map(|what| {
            let why = format!(
                "the account may not read the {what} of {database}, so that it could not be put \
                 back: grant it SELECT ON mysql.proc (MySQL: SHOW_ROUTINE ON *.*)"
            );
            (None, why)
        });
        let comes = |name: &&String| {
            survey.views.contains(*name) || survey.tables.iter().any(|table| table.name == **name)
        };
        let broken = live.broken.iter().filter(comes).map(|view| {
            let why = format!(
                "the view {view} of {database} stands on something that is not there: once it is \
                 replaced, it could not be put back"
            );
            (Some(Accept::Views), why)
        });
        unreadable.chain(broken).collect()
    }

    fn other_product(&self, survey: &Survey) -> Option<String> {
        let (installed, backup) = (&self.policy.installed, &survey.product);
        let pairs = [
            ("schema", &installed.schema, &backup.schema),
            ("version", &installed.version, &backup.version),
            ("product", &installed.name, &backup.name),
        ];
        pairs
            .into_iter()
            .find_map(|(what, installed, backup)| match (installed, backup) {
                (Some(installed), Some(backup)) if installed != backup => Some(format!(
                    "the backup has the {what} {backup}, and {installed} is installed"
                )),
                _ => None,
            })
    }
}

impl RestorePolicy {
    /// What is wrong with it.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let system = ["mysql", "information_schema", "performance_schema", "sys"];
        if elpis_mysql::quote(&self.database).is_err() || system.contains(&self.database.as_str()) {
            wrong.push(format!("{:?} is no database to restore", self.database));
        }
        if !(1..=64).contains(&self.sessions) {
            wrong.push("sessions must be 1 to 64".to_owned());
        }
        if !(64 << 10..=256 << 20).contains(&self.chunk_bytes) {
            wrong.push("chunk_bytes must be 64 KiB to 256 MiB".to_owned());
        }
        if self.lock_tries == 0 {
            wrong.push("lock_tries must be at least 1".to_owned());
        }
        wrong
    }
}

/// Since these versions a statement on tables is whole or not done, also after a crash.
fn has_atomic_rename(facts: &RestoreFacts) -> bool {
    match facts.is_mariadb {
        true => facts.version >= (10, 6, 1),
        false => facts.version >= (8, 0, 0),
    }
}

fn other_server(facts: &RestoreFacts, survey: &Survey) -> Option<String> {
    let text = survey.server_version.as_deref()?;
    let is_mariadb = text.to_ascii_lowercase().contains("mariadb");
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u16>);
    let mut number = || numbers.next().and_then(Result::ok).unwrap_or_default();
    let from = (number(), number());
    let here = (facts.version.0, facts.version.1);
    let differs = is_mariadb != facts.is_mariadb || here < from;
    differs.then(|| {
        format!(
            "the backup is from a server {text}, and this one is {}",
            facts.version_text
        )
    })
}
