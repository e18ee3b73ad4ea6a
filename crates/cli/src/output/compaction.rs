//! Compaction on standard output: its plan and its report.

use comfy_table::Cell;
use elpis_maint_core::compact::{
    CompactPlan, CompactReport, Estimate, LostEnvelope, TierPlan, Verification,
};
use elpis_maint_core::{Ended, Mode};

use super::grid::{PLAIN, RULED, right, table, text};
use super::{hours, number, seconds};

/// A plan: a row a tier, and the sum.
pub(crate) fn compaction(plan: &CompactPlan) -> String {
    let mut header = vec![
        "compact",
        "tier",
        "cutoff",
        "rows due",
        "rows after",
        "time",
    ];
    let loses = plan.tiers.iter().any(|t| t.task.mode == Mode::Mean);
    if loses {
        header.insert(5, "mean loses");
    }
    let rows = plan.tiers.iter().map(|tier| planned(tier, loses));
    let mut lines = vec![table(RULED, &header, rows.collect())];
    let time: f64 = plan.tiers.iter().map(|tier| tier.duration_s).sum();
    let (due, time) = (number(plan.due()), seconds(time));
    let mut sum = match after(plan) {
        _ if plan.due() == 0 => {
            "nothing new to compact; rows that arrived late are looked for".to_owned()
        }
        Some(after) => format!("~{due} rows become ~{} in about {time}", number(after)),
        None => format!("~{due} rows to look at in about {time}"),
    };
    if plan.tiers.iter().any(|t| !t.rate_measured && t.due > 0) {
        sum.push_str("; times are guesses until a run has measured them");
    }
    lines.push(sum);
    lines.join("\n")
}

/// About how many of the rows that are due will be left, if every tier can tell.
fn after(plan: &CompactPlan) -> Option<u64> {
    plan.tiers
        .iter()
        .filter(|tier| tier.due > 0)
        .map(|tier| tier.estimate.as_ref().map(|estimate| estimate.rows_after))
        .sum()
}

fn planned(plan: &TierPlan, loses: bool) -> Vec<Cell> {
    let mode = match plan.task.mode {
        Mode::Envelope => "envelope",
        Mode::Mean => "mean",
    };
    let tier = format!(
        "older than {} d\ninto {}",
        plan.older_than_days,
        hours(plan.bucket_s)
    );
    let cutoff = match plan.cutoff.instant {
        Some(at) => at.strftime("%F\n%T UTC").to_string(),
        None => plan.cutoff.value.to_string(),
    };
    let after = plan.estimate.as_ref().map_or("-".to_owned(), kept);
    let mut cells = vec![
        text(format!("{}\n{mode}", plan.task.table)),
        text(tier),
        text(cutoff),
        right(format!("~{}", number(plan.due))),
        right(after),
        right(seconds(plan.duration_s)),
    ];
    if loses {
        let lost = plan.estimate.as_ref().and_then(|estimate| estimate.lost);
        cells.insert(5, text(lost.map_or("-".to_owned(), envelope)));
    }
    cells
}

/// The rows that will be left, and how far the estimate may be off.
fn kept(estimate: &Estimate) -> String {
    let share = estimate.kept_share * 100.0;
    let error = match estimate.error {
        Some(error) => format!(" ± {:.0}", (error * 100.0).ceil()),
        None => String::new(),
    };
    format!("~{}\n{share:.0}{error} %", number(estimate.rows_after))
}

/// What nobody will see any more in the chart of a mean.
fn envelope(lost: LostEnvelope) -> String {
    if lost.buckets == 0.0 {
        return "nothing".to_owned();
    }
    format!(
        "extremes of {:.0} % of buckets:\n{} apart on average, {} at most",
        lost.buckets * 100.0,
        short(lost.mean),
        short(lost.largest)
    )
}

/// About three digits.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 || (v > 0.0 && v < 0.001) => format!("{v:.1e}"),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// What a compaction did.
pub(crate) fn compacted(report: &CompactReport) -> String {
    let header = [
        "compact", "into", "rows", "left out", "late", "chunks", "rows/s", "at work", "paused",
        "waited", "",
    ];
    let rows = report.tiers.iter().map(|tier| {
        let chunks = tier.sealed.chunks + tier.rechecked.chunks;
        vec![
            text(tier.table.clone()),
            text(hours(tier.bucket_s)),
            right(number(tier.sealed.examined)),
            right(number(tier.sealed.removed)),
            right(number(tier.rechecked.removed)),
            right(number(chunks)),
            right(tier.rate().map_or("-".to_owned(), |r| number(r as u64))),
            right(seconds(tier.working_s)),
            right(seconds(tier.paused_s)),
            right(seconds(tier.waited_s)),
            text(if tier.complete { "finished" } else { "stopped" }),
        ]
    });
    let took = report.finished.duration_since(report.started).as_secs_f64();
    let ended = match &report.ended {
        Ended::Done => "everything old enough is compacted".to_owned(),
        Ended::NotVerified { .. } => "whose charts did not all stay the same".to_owned(),
        Ended::Failed { error } => format!("failed: {error}"),
        other => format!("stopped: {other}"),
    };
    let mut lines = vec![
        table(PLAIN, &header, rows.collect()),
        format!(
            "run {}: {} rows left out in {}, {ended}",
            report.run,
            number(report.removed()),
            seconds(took),
        ),
    ];
    lines.extend(report.verified.as_ref().map(verified));
    lines.join("\n")
}

/// What was read before and after.
fn verified(found: &Verification) -> String {
    let looked = format!(
        "{} charts of {} series and {} buckets were compared",
        number(found.charts),
        number(found.series),
        number(found.buckets)
    );
    if !found.within_promise {
        let mut lines = vec![format!(
            "NOT VERIFIED: {looked}, {} are not as promised:",
            number(found.failed)
        )];
        let failures = found.failures.iter();
        lines.extend(failures.map(|failure| format!("  {failure}")));
        return lines.join("\n");
    }
    let moved = format!(
        "drawn means moved by at most {:.1} % of a chart's range",
        found.mean_shift_relative * 100.0
    );
    match found.lost {
        None => format!("verified: {looked}; every step, gap and extreme is the same, {moved}"),
        Some(lost) => format!(
            "verified: {looked}; means and counts are right, {moved}, and extremes of {} of {} \
             slices are lost",
            number(lost.slices_changed),
            number(lost.slices)
        ),
    }
}

/// What the side tables say of the tables.
pub(crate) fn rollups_verified(found: &Verification) -> String {
    if found.rollups == 0 {
        return "nothing to verify yet: the side tables have no bucket of the series that were \
                looked at"
            .to_owned();
    }
    let looked = format!(
        "{} buckets of {} series ({} rows)",
        number(found.rollups),
        number(found.series),
        number(found.points_after)
    );
    if found.within_promise {
        return format!("verified: {looked} are as the side tables remember them");
    }
    let mut lines = vec![format!(
        "NOT VERIFIED: of {looked}, {} are not as the side tables remember them:",
        number(found.failed)
    )];
    lines.extend(found.failures.iter().map(|failure| format!("  {failure}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_envelopes_read_well_at_any_size() {
        let lost = LostEnvelope {
            buckets: 0.5,
            mean: 3.24159,
            largest: 4_200.4,
        };
        assert_eq!(
            envelope(lost),
            "extremes of 50 % of buckets:\n3.24 apart on average, 4200 at most"
        );
        assert_eq!(short(2.5e9), "2.5e9");
        assert_eq!(short(0.0), "0.00");
    }
}
