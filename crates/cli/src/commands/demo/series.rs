//! The second act: the compaction, and the comparison of every chart.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Context, Result};
use elpis_maint_core::Ended;
use elpis_maint_core::compact::CompactPlan;
use elpis_maint_core::demo;
use elpis_run::FsError;

use super::{Act, Also, Jobs, Stage, plan, run};
use crate::exit::Verdict;
use crate::output;
use crate::output::report::Compacted;

/// Compacts, and compares with a copy made before, which is removed again.
pub(super) async fn compact(stage: &Stage<'_>, directory: &Path) -> Result<Act<Compacted>> {
    let copy = directory.join("before-compaction.db");
    let (from, to) = (stage.database.to_owned(), copy.clone());
    let doing = "copying the series, to compare them with";
    let space_before = stage
        .blocking(doing, move |_| {
            demo::copy(&from, &to)?;
            demo::series_space(&from)
        })
        .await?;
    let jobs = Jobs {
        purge: false,
        compact: true,
    };
    let (settings, printer) = (stage.settings, stage.printer);
    let plans = plan::make(settings, jobs, false, printer, stage.interrupt).await?;
    let plan = plans.compaction.context("the policy compacts nothing")?;
    let job = stage.job(Also {
        purge: &(),
        compaction: &(),
    });
    let report = run::compact_by(job, &plan).await?;
    if !printer.json {
        printer.data(&format!("\n{}", output::compacted(&report)))?;
    }
    if report.ended != Ended::Done {
        return Ok(Act::EndedEarly(Verdict::from(&report.ended)));
    }

    let tiers = tiers(&plan);
    let cutoff = tiers.first().map_or(i64::MIN, |(cutoff, _)| *cutoff);
    let longest = tiers.iter().map(|(_, length)| *length).max();
    let longest = longest.unwrap_or(NonZeroU32::MIN);
    let (spec, before, after) = (stage.spec, copy.clone(), stage.database.to_owned());
    let compare = move |spinner: &output::Spinner| {
        let paths = (before.as_path(), after.as_path());
        let mut show = |done| spinner.show(format!("comparing charts: {done} series"));
        let charts = demo::compare_charts(paths, spec.interval_s(), cutoff, longest, &mut show)?;
        let exhibits = demo::exhibits(paths, &spec, &tiers)?;
        Ok((charts, exhibits, demo::series_space(&after)?))
    };
    let doing = "comparing charts";
    let (charts, exhibits, space_after) = stage.blocking(doing, compare).await?;
    std::fs::remove_file(&copy).map_err(|source| FsError::new("remove", &copy, source))?;
    Ok(Act::Finished(Compacted {
        plan,
        report,
        charts,
        exhibits,
        space: (space_before, space_after),
    }))
}

/// Where each tier ends and the length of its buckets, finest first.
fn tiers(plan: &CompactPlan) -> Vec<(i64, NonZeroU32)> {
    let tier = |tier: &elpis_maint_core::compact::TierPlan| {
        let length = u32::try_from(tier.bucket_s)
            .ok()
            .and_then(NonZeroU32::new)?;
        Some((tier.cutoff.instant?.as_second(), length))
    };
    let mut tiers: Vec<_> = plan.tiers.iter().filter_map(tier).collect();
    tiers.sort_by_key(|(_, length)| *length);
    tiers
}

impl Compacted {
    /// What the check holds against the run, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let charts = &self.charts;
        if charts.removed != self.report.removed() {
            let (found, said) = (charts.removed, self.report.removed());
            return Some(format!("{found} rows are gone and {said} were reported"));
        }
        for (count, what) in [
            (charts.invented, "rows are there that were not before"),
            (charts.wronged, "rows are gone that must stay"),
            (charts.broken, "charts are not the same"),
        ] {
            if count > 0 {
                return Some(format!("{count} {what}"));
            }
        }
        None
    }

    /// The same as good news.
    pub(super) fn verified(&self) -> String {
        let charts = &self.charts;
        format!(
            "the compaction left out {} rows, invented none, and of {} charts of {} series none \
             lost a step, an extreme or a gap",
            output::number(charts.removed),
            output::number(charts.charts),
            output::number(charts.compacted),
        )
    }
}
