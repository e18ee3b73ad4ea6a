//! `demo`: a monitoring database of its own, purged, recounted and reported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use elpis_maint_core::demo::{self, DemoSpec, Survey};
use elpis_maint_core::{Ended, Limits, Plan, PurgeEvent, Scalar};
use elpis_run::{FnObserver, FsError, fsx};
use jiff::Timestamp;

use super::{plan, run};
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
    let settings = Settings::load(Some(&config), &Environment::default())?;
    let plan = plan::make(&settings, false, printer, interrupt).await?;
    if !printer.json {
        printer.data(&(output::plan(&plan) + "\n"))?;
    }
    let cutoffs = cutoffs(&plan);
    let before = survey(&database, &cutoffs, "counting what is there", printer).await?;

    let story = Mutex::new(Vec::new());
    let begun = Instant::now();
    let record = FnObserver(|event: &PurgeEvent| {
        let mut story = story.lock().unwrap_or_else(PoisonError::into_inner);
        story.push((begun.elapsed(), event.clone()));
    });
    let options = run::Options {
        limits: Limits::default(),
        exact: false,
        throttled: true,
    };
    // The very plan that was shown and counted by: a new one would have cutoffs seconds later.
    let done = run::execute(&settings, Some(&plan), options, printer, interrupt, &record).await?;
    if !printer.json {
        printer.data(&output::result(&done))?;
    }
    if done.ended != Ended::Done {
        return Ok(Verdict::from(&done.ended));
    }

    let after = survey(&database, &cutoffs, "counting what is left", printer).await?;
    let story: Vec<(Duration, PurgeEvent)> =
        story.into_inner().unwrap_or_else(PoisonError::into_inner);
    let chapter = Chapter {
        plan: &plan,
        report: &done,
        before: &before,
        after: &after,
        story: &story,
    };
    let path = directory.join("report.html");
    fsx::write_durable(&path, report::html(&chapter).as_bytes(), 0o644)?;
    let shown = format!("report: {}", path.display());
    if let Some(trouble) = judge(&before, &after) {
        printer.say(&shown);
        bail!("the recount does not agree: {trouble}");
    }
    let kept: u64 = after.tables.iter().map(|table| table.kept).sum();
    let verified = format!(
        "verified by an independent recount: none of {} expired rows is left, all of {} others \
         are unchanged",
        output::number(done.deleted()),
        output::number(kept)
    );
    if printer.json {
        printer.say(&format!("{verified}\n{shown}"));
    } else {
        let again = format!("play on:  elpis-maint --config {} plan", config.display());
        printer.data(&format!("{verified}\n\n{shown}\n{again}"))?;
    }
    Ok(Verdict::silent(Code::Done))
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

async fn survey(
    path: &Path,
    cutoffs: &BTreeMap<String, i64>,
    doing: &str,
    printer: Printer,
) -> Result<Survey> {
    let (path, cutoffs) = (path.to_owned(), cutoffs.clone());
    let spinner = Spinner::new(printer.is_watched());
    spinner.show(doing.to_owned());
    let survey = tokio::task::spawn_blocking(move || demo::survey(&path, &cutoffs));
    Ok(survey.await??)
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
