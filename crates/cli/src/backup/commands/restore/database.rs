//! The database of a restore: which, from what text, and by whom.

use std::sync::Arc;

use anyhow::Result;
use elpis_backup::archive::{Archive, Product, Verified};
use elpis_backup::restore::{
    Accept, Compare, CountReport, Grants, Restore as Engine, RestoreEvent, RestorePlan,
    RestorePolicy, RestoreReport, RowsOf, Scope, Services, SqlText, Surveyed,
};
use elpis_mysql::ConnectOptions;
use elpis_run::{Clock, Holder, Journal, Observer};

use super::progress::RestoreProgress;
use super::reach;
use crate::backup::args::{Compared, Restore};
use crate::backup::commands::Context;
use crate::backup::settings::ConfigError;
use crate::backup::values::Accepted;

/// A database that is to be restored.
pub(super) struct Database {
    connect: ConnectOptions,
    policy: RestorePolicy,
    text: SqlText<Surveyed>,
    plan: RestorePlan,
}

/// What looks, restores and takes back.
pub(super) fn engine<'a>(
    context: &'a Context,
    connect: &ConnectOptions,
    journal: &'a dyn Journal,
    holder: &Holder,
    services: Option<&'a dyn Services>,
    observer: Arc<dyn Observer<RestoreEvent>>,
) -> Engine<'a> {
    Engine {
        connect: connect.clone(),
        journal,
        observer,
        clock: &context.clock,
        stop: &context.interrupt.stop,
        holder: holder.clone(),
        services,
    }
}

impl Database {
    /// Finds the database, reads the text to its end, looks at both, and decides. Changes nothing.
    pub(super) fn plan(
        context: &Context,
        args: &Restore,
        mut archive: Option<Archive<Verified>>,
        services: Option<&dyn Services>,
        journal: &dyn Journal,
    ) -> Result<Database> {
        let reached = reach::find(context, &args.reach, archive.as_mut())?;
        for warning in &reached.warnings {
            context.printer.say(&format!("warning: {warning}"));
        }
        let text = match (&args.sql, archive) {
            (None, Some(archive)) => SqlText::of_archive(archive, args.database.as_deref())?,
            (Some(path), _) => SqlText::open(path)?,
            (None, None) => return Err(unsaid("what to restore").into()),
        };
        let progress = Arc::new(RestoreProgress::new(context.printer));
        let text = text.survey(&context.interrupt.stop, &*progress)?;
        let name = args
            .to_database
            .clone()
            .or(Some(reached.name.clone()).filter(|name| !name.is_empty()))
            .or_else(|| text.survey().database.clone())
            .ok_or_else(|| unsaid("which database to restore"))?;
        let policy = RestorePolicy {
            pace: context.settings.restore.pace(),
            ..policy(args, &name, &reached.name, reached.product)
        };
        let connect = reached.connect;
        let holder = context.holder();
        let engine = engine(context, &connect, journal, &holder, services, progress);
        let facts = engine.inspect(&policy, &text)?;
        let plan = RestorePlan::new(&policy, &facts, text.survey(), context.clock.now());
        Ok(Database {
            connect,
            policy,
            text,
            plan,
        })
    }

    pub(super) fn planned(&self) -> &RestorePlan {
        &self.plan
    }

    /// The archive that the text is from.
    pub(super) fn archive(&self) -> Option<&Archive<Verified>> {
        self.text.archive()
    }

    pub(super) fn run(&self, engine: &Engine<'_>) -> Result<RestoreReport> {
        Ok(engine.run(&self.plan, &self.text)?)
    }

    /// What would be inserted, if nothing is exchanged; counting needs a side database, so that
    /// it is only done for a plan that could be carried out.
    pub(super) fn count(&self, context: &Context) -> Result<Option<CountReport>> {
        let is_of_rows = matches!(self.policy.scope, Scope::Rows(_));
        if !is_of_rows || !self.plan.refusals.is_empty() {
            return Ok(None);
        }
        let journal = context.journal()?;
        let progress = Arc::new(RestoreProgress::new(context.printer));
        let holder = context.holder();
        let engine = engine(context, &self.connect, &journal, &holder, None, progress);
        Ok(Some(engine.count(&self.plan, &self.text)?))
    }

    pub(super) fn connect(&self) -> &ConnectOptions {
        &self.connect
    }

    pub(super) fn name(&self) -> &str {
        &self.policy.database
    }
}

/// How much of the database is wanted.
fn scope(args: &Restore) -> Scope {
    match &args.agent {
        Some(agent) => Scope::Rows(Box::new(RowsOf {
            tables: elpis_pandora::agent_data(),
            whose: agent.clone(),
        })),
        None if args.tables.is_empty() => Scope::Whole,
        None => Scope::Tables(args.tables.iter().cloned().collect()),
    }
}

fn unsaid(what: &'static str) -> ConfigError {
    ConfigError::Unsaid {
        what,
        hint: "use --to-database NAME",
    }
}

fn policy(args: &Restore, name: &str, installed: &str, product: Product) -> RestorePolicy {
    let usual = RestorePolicy::new(name);
    let accept = args.accept.iter().filter_map(|accepted| match accepted {
        Accepted::Database(accept) => Some(*accept),
        Accepted::OutsideLinks => None,
    });
    RestorePolicy {
        accept: accept.collect::<std::collections::BTreeSet<Accept>>(),
        sessions: args.sessions.map_or(usual.sessions, usize::from),
        compare: match args.compare {
            Compared::Content => Compare::Content,
            Compared::Counts => Compare::Counts,
        },
        grants: match args.grants {
            true => Grants::Apply,
            false => Grants::Check,
        },
        // Beside the installed database any version will do.
        scope: scope(args),
        later: match args.config_first {
            true => elpis_pandora::time_series(),
            false => Vec::new(),
        },
        installed: match name == installed {
            true => product,
            false => Product::default(),
        },
        ..usual
    }
}
