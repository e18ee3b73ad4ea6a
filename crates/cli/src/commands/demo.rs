//! `demo`: a monitoring database of its own, purged, compacted, recounted and reported.

mod series;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use elpis_maint_core::demo::{self, DemoError, DemoSpec, Survey};
use elpis_maint_core::{Ended, Limits, Plan, PurgeEvent, PurgeReport, Scalar};
use elpis_run::{FnObserver, FsError, fsx};
use jiff::Timestamp;

use super::plan::{self, Jobs};
use super::run::{self, Also};
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::report::{self, Chapter};
use crate::output::{self, Printer, Spinner};
use crate::settings::{Environment, Settings};

/// Chance begins here, so that everybody's demo is the same but for its dates.
const SEED: u64 = 20_260_101;

pub(crate) async fn demo(
    keep: Option<&Path>,
    rows: u64,
    days: u32,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let directory = directory(keep)?;
    let database = directory.join("monitoring.db");
    let spec = DemoSpec {
        rows,
        days,
        seed: SEED,
        now: Timestamp::now(),
    };
    printer.say(&format!("everything is kept in {}", directory.display()));
    let begun = Instant::now();
    let created = create(&database, spec, printer).await?;
    let size = std::fs::metadata(&database).map_or(0, |file| file.len());
    printer.say(&format!(
        "created {}: {} rows over {days} days, {}, in {}\n",
        database.display(),
        output::number(created),
        output::bytes(size),
        output::seconds(begun.elapsed().as_secs_f64())
    ));

    let config = directory.join("maint.toml");
    fsx::write_durable(&config, configuration(days).as_bytes(), 0o600)?;
    let settings = Settings::load(Some(&config), None, &Environment::default())?;
    let jobs = Jobs::of(&settings.policy);
    let plans = plan::make(&settings, jobs, false, printer, interrupt).await?;
    if !printer.json {
        printer.data(&(output::plans(&plans) + "\n"))?;
    }
    let stage = Stage {
        settings: &settings,
        spec,
        database: &database,
        printer,
        interrupt,
    };
    let purged = match stage.purge(&plans.purge).await? {
        Act::Finished(purged) => purged,
        Act::EndedEarly(verdict) => return Ok(verdict),
    };
    let compacted = match series::compact(&stage, &directory).await? {
        Act::Finished(compacted) => compacted,
        Act::EndedEarly(verdict) => return Ok(verdict),
    };

    let chapter = Chapter {
        plan: &plans.purge,
        report: &purged.report,
        before: &purged.before,
        after: &purged.after,
        story: &purged.story,
        compaction: &compacted,
    };
    let path = directory.join("report.html");
    fsx::write_durable(&path, report::html(&chapter).as_bytes(), 0o644)?;
    let shown = format!("report: {}", path.display());
    let trouble = judge(&purged.before, &purged.after).or_else(|| compacted.trouble());
    if let Some(trouble) = trouble {
        printer.say(&shown);
        bail!("the recount does not agree: {trouble}");
    }
    let kept: u64 = purged.after.tables.iter().map(|table| table.kept).sum();
    let verified = format!(
        "verified by an independent recount: none of {} expired rows is left, all of {} others \
         were unchanged by the purge;\n{}",
        output::number(purged.report.deleted()),
        output::number(kept),
        compacted.verified(),
    );
    if printer.json {
        printer.say(&format!("{verified}\n{shown}"));
    } else {
        let again = format!("play on:  elpis-maint --config {} plan", config.display());
        printer.data(&format!("{verified}\n\n{shown}\n{again}"))?;
    }
    Ok(Verdict::silent(Code::Done))
}

/// What both acts share.
struct Stage<'a> {
    settings: &'a Settings,
    spec: DemoSpec,
    database: &'a Path,
    printer: Printer,
    interrupt: &'a Interrupt,
}

/// An act is over.
enum Act<T> {
    Finished(T),
    EndedEarly(Verdict),
}

/// The first act: the purge, and the recounts around it.
struct Purged {
    report: PurgeReport,
    before: Survey,
    after: Survey,
    story: Vec<(Duration, PurgeEvent)>,
}

impl Stage<'_> {
    async fn purge(&self, plan: &Plan) -> Result<Act<Purged>> {
        let cutoffs = cutoffs(plan);
        let before = self.survey(&cutoffs, "counting what is there").await?;
        let story = Mutex::new(Vec::new());
        let begun = Instant::now();
        let record = FnObserver(|event: &PurgeEvent| {
            let mut story = story.lock().unwrap_or_else(PoisonError::into_inner);
            story.push((begun.elapsed(), event.clone()));
        });
        let job = self.job(Also {
            purge: &record,
            compaction: &(),
        });
        // The very plan that was shown and counted by: a new one would have cutoffs seconds later.
        let report = run::purge_by(job, plan).await?;
        if !self.printer.json {
            self.printer.data(&output::result(&report))?;
        }
        if report.ended != Ended::Done {
            return Ok(Act::EndedEarly(Verdict::from(&report.ended)));
        }
        let after = self.survey(&cutoffs, "counting what is left").await?;
        let story = story.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Act::Finished(Purged {
            report,
            before,
            after,
            story,
        }))
    }

    fn job<'a>(&'a self, also: Also<'a>) -> run::Job<'a> {
        run::Job {
            settings: self.settings,
            options: run::Options {
                limits: Limits::default(),
                jobs: Jobs::of(&self.settings.policy),
                exact: false,
                throttled: true,
            },
            printer: self.printer,
            interrupt: self.interrupt,
            also,
        }
    }

    async fn survey(&self, cutoffs: &BTreeMap<String, i64>, doing: &str) -> Result<Survey> {
        let (path, cutoffs) = (self.database.to_owned(), cutoffs.clone());
        self.blocking(doing, move |_| demo::survey(&path, &cutoffs))
            .await
    }

    /// Carries out `work` beside the runtime, with a spinner that `work` may use.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &str,
        work: impl FnOnce(&Spinner) -> Result<T, DemoError> + Send + 'static,
    ) -> Result<T> {
        let spinner = Spinner::new(self.printer.is_watched());
        spinner.show(doing.to_owned());
        Ok(tokio::task::spawn_blocking(move || work(&spinner)).await??)
    }
}

/// The directory of this demo: new, or at least empty.
fn directory(keep: Option<&Path>) -> Result<PathBuf> {
    let Some(keep) = keep else {
        let temporary = tempfile::Builder::new().prefix("elpis-demo-").tempdir();
        return Ok(temporary
            .context("cannot create a temporary directory")?
            .keep());
    };
    let keep = std::path::absolute(keep)?;
    fsx::create_private_dir(&keep)?;
    let mut entries = keep.read_dir()?;
    if entries.next().is_some() {
        let source = std::io::ErrorKind::DirectoryNotEmpty.into();
        return Err(FsError::new("use directory", &keep, source).into());
    }
    Ok(keep)
}

fn configuration(days: u32) -> String {
    format!(
        "# The configuration of this demo. Change it, and see what `plan` makes of it.\n\n\
         [database]\nkind = \"sqlite\"\npath = \"monitoring.db\"\n\n\
         [state]\ndirectory = \"state\"\n\n{}",
        demo::policy(days)
    )
}

async fn create(path: &Path, spec: DemoSpec, printer: Printer) -> Result<u64> {
    let path = path.to_owned();
    let spinner = Spinner::new(printer.is_watched());
    let created = tokio::task::spawn_blocking(move || {
        demo::create(&path, &spec, &mut |rows| {
            spinner.show(format!(
                "creating a database: {} rows",
                output::number(rows)
            ));
        })
    });
    Ok(created.await??)
}

/// The plan's cutoffs by table.
fn cutoffs(plan: &Plan) -> BTreeMap<String, i64> {
    let cutoff = |table: &elpis_maint_core::TablePlan| match &table.cutoff.as_ref()?.value {
        Scalar::Int(second) => Some((table.task.table.clone(), *second)),
        _ => None,
    };
    plan.tables.iter().filter_map(cutoff).collect()
}

/// What the recount holds against the run, if anything.
fn judge(before: &Survey, after: &Survey) -> Option<String> {
    for (before, after) in before.tables.iter().zip(&after.tables) {
        let table = &before.table;
        if after.expired > 0 {
            return Some(format!(
                "{} expired rows of {table} are left",
                after.expired
            ));
        }
        if (before.kept, before.checksum) != (after.kept, after.checksum) {
            let (was, is) = (before.kept, after.kept);
            return Some(format!(
                "{table} had {was} rows to keep and has {is}, or other ones"
            ));
        }
    }
    None
}
