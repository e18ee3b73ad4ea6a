//! What a plan says of the tasks of one run that touch the same rows.

use elpis_maint_core::housekeeping::{HousekeepingPlan, PartPlan};
use elpis_testkit::pandora::Installation;

use crate::support::Ask;

/// What is planned for a part with all that hangs on it, and the tasks that come before.
fn planned(part: &PartPlan) -> (u64, &[String]) {
    let (rows, more, overlaps) = match part {
        PartPlan::Purge(plan) => (plan.due.rows, &plan.cascaded, &plan.overlaps[..]),
        PartPlan::Sweep(plan) => (
            plan.facts.due.rows,
            &plan.facts.dependents,
            &plan.overlaps[..],
        ),
        _ => return (0, &[]),
    };
    let more: u64 = more.iter().flatten().map(|(_, rows)| rows).sum();
    (rows + more, overlaps)
}

fn all_planned(plan: &HousekeepingPlan) -> u64 {
    let parts = plan.tasks.iter().flat_map(|task| &task.parts);
    parts.map(|part| planned(part).0).sum()
}

/// Every part that no earlier task touches does what was counted, to the row; of every other one
/// the plan says whose rows it shares.
#[tokio::test]
async fn what_no_earlier_task_touches_is_done_as_counted() {
    let db = Installation::small().install();
    let plan = Ask::default().plan(&db).await;
    let report = Ask::default().carry_out(&plan, &db).await.unwrap();
    let (mut wrong, mut free, mut marked, mut differ) = (Vec::new(), 0, 0, Vec::new());
    for (task, done) in plan.tasks.iter().zip(&report.tasks) {
        assert_eq!(task.id, done.id);
        for (part, done) in task.parts.iter().zip(&done.parts) {
            let (rows, overlaps) = planned(part);
            let done = done.changed();
            let said = format!("{}: {rows} planned, {done} done, {overlaps:?}", task.id);
            match (overlaps.is_empty(), rows == done) {
                (true, true) => free += u64::from(rows > 0),
                (true, false) => wrong.push(said),
                (false, true) => marked += 1,
                (false, false) => differ.push(said),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Not everything is marked, and most of what is marked does differ.
    assert!(free >= 20, "{free}");
    assert!(differ.len() > marked, "{marked}");
    for task in ["orphan_status", "network_configuration", "pending_modules"] {
        assert!(
            differ.iter().any(|said| said.starts_with(task)),
            "{task}: {}",
            differ.join("\n")
        );
    }
    assert_eq!(plan.all_due(), all_planned(&plan));
}
