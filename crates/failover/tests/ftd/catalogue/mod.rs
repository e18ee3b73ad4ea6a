//! The catalogue of failure modes as one table: number, what goes wrong, what the operator does,
//! and how it has to end.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Instant;

use elpis_failover::rehearse::{Deed, Fault, Scenario, Setup};
use elpis_failover::{Cause, Unit};

use crate::many::{PATIENCE, side_by_side};
use crate::rig::{End, Rig};
use Unit::{A, B};

pub(crate) struct Case {
    /// The scenario's, or the catalogue's number and a few words where only the operator's side is
    /// different.
    id: &'static str,
    faults: Vec<Fault>,
    /// Changes to the operator's side.
    change: fn(&mut Rig),
    /// What the operator does. In most cases: inspect, plan and apply.
    story: Story,
    end: End,
    /// What else must be true.
    check: fn(&Rig),
}

type Story = Box<dyn for<'a> Fn(&'a mut Rig) -> Pin<Box<dyn Future<Output = End> + 'a>>>;

/// A case of a shipped scenario.
fn case(id: &'static str, end: End) -> Case {
    let scenario = Scenario::find(id).unwrap();
    Case {
        faults: scenario.faults,
        ..own(id, end)
    }
}

/// A case in which the pair is all right.
fn own(id: &'static str, end: End) -> Case {
    Case {
        id,
        faults: Vec::new(),
        change: |_| {},
        story: Box::new(|rig| Box::pin(rig.upgrade())),
        end,
        check: |_| {},
    }
}

impl Case {
    fn after(mut self, change: fn(&mut Rig)) -> Case {
        self.change = change;
        self
    }

    /// With the faults of a shipped scenario that has another name.
    fn of(mut self, scenario: &str) -> Case {
        self.faults = Scenario::find(scenario).unwrap().faults;
        self
    }

    fn told(
        mut self,
        story: impl for<'a> Fn(&'a mut Rig) -> Pin<Box<dyn Future<Output = End> + 'a>> + 'static,
    ) -> Case {
        self.story = Box::new(story);
        self
    }

    fn and(mut self, check: fn(&Rig)) -> Case {
        self.check = check;
        self
    }
}

/// Several obstacles of one kind are one cause.
fn only_once(end: End) -> End {
    match end {
        End::Refused(mut causes) => {
            causes.dedup();
            End::Refused(causes)
        }
        other => other,
    }
}

fn refused(cause: Cause) -> End {
    End::Refused(vec![cause])
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Runs every case and reports all that are wrong, not only the first.
async fn run(cases: Vec<Case>) {
    let found = side_by_side(cases, async |case: Case| {
        let name = case.id;
        let begun = Instant::now();
        // On a task of its own: what panics is one wrong case and not the end of the others.
        let tried = tokio::task::spawn_local(try_one(case));
        let wrong = match tokio::time::timeout(PATIENCE, tried).await {
            Ok(tried) => tried.unwrap_or_else(|panic| vec![panicked(panic)]),
            Err(_) => vec![text("it hangs")],
        };
        eprintln!("{name}: {:?}", begun.elapsed());
        let named = wrong.into_iter().map(|text| format!("{name}: {text}"));
        named.collect::<Vec<_>>()
    });
    let wrong: Vec<String> = found.await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn panicked(panic: tokio::task::JoinError) -> String {
    let payload = panic.into_panic();
    let words = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|words| text(words)));
    words.unwrap_or_else(|| text("it panicked"))
}

/// Everything that is not as expected.
async fn try_one(case: Case) -> Vec<String> {
    let setup = Setup {
        faults: case.faults,
        ..Setup::new()
    };
    let mut rig = Rig::new(setup).await;
    (case.change)(&mut rig);
    let end = only_once((case.story)(&mut rig).await);
    let mut wrong = broken_rules(&rig);
    if end != case.end {
        wrong.push(format!("{end:?}, expected {:?}\n{}", case.end, rig.log()));
    }
    if wrong.is_empty() {
        (case.check)(&rig);
    }
    wrong
}

/// What must never happen, whatever goes wrong.
pub(crate) fn broken_rules(rig: &Rig) -> Vec<String> {
    let deeds = rig.pair.deeds();
    let mut broken = Vec::new();
    for deed in &deeds {
        match deed {
            Deed::Install(unit, state) if state != "Standby Ready" => {
                broken.push(format!("installed on {unit}, which was {state}"));
            }
            Deed::Interrupt(unit) => broken.push(format!("Control-C on {unit}")),
            _ => {}
        }
    }
    let count = |wanted: &dyn Fn(&Deed) -> bool| deeds.iter().filter(|deed| wanted(deed)).count();
    for unit in Unit::BOTH {
        if count(&|deed| *deed == Deed::WrongPassword(unit)) > 1 {
            broken.push(format!("more than one wrong password on {unit}"));
        }
        let by_hand = count(&|deed| *deed == Deed::ByHand(unit));
        if count(&|deed| matches!(deed, Deed::Install(of, _) if *of == unit)) > 1 + by_hand {
            broken.push(format!("installed twice on {unit}"));
        }
    }
    if count(&|deed| matches!(deed, Deed::Switchover(_))) > 3 {
        broken.push(text("too many switchovers"));
    }
    broken.extend(rig.transcripts().into_iter().filter_map(|(path, text)| {
        let leaks = text.contains("rehearsal-only");
        leaks.then(|| format!("the password stands in {}", path.display()))
    }));
    broken
}

fn untouched(rig: &Rig) {
    let ours = |deed: &Deed| !matches!(deed, Deed::WrongPassword(_) | Deed::ByHand(_));
    let deeds = rig.pair.deeds();
    assert!(!deeds.iter().any(ours), "{deeds:?}");
}

fn installs(rig: &Rig) -> usize {
    rig.pair
        .deeds()
        .iter()
        .filter(|deed| matches!(deed, Deed::Install(..)))
        .count()
}

fn switchovers(rig: &Rig) -> usize {
    rig.pair
        .deeds()
        .iter()
        .filter(|deed| matches!(deed, Deed::Switchover(_)))
        .count()
}

fn serving_on_a(rig: &Rig) {
    assert_eq!(rig.pair.state(A), "Active");
    assert_eq!(rig.pair.release(A), "7.2.2-54");
    assert_eq!(switchovers(rig), 0);
}

mod early;
mod late;
mod stories;

#[tokio::test]
async fn before_the_login() {
    run(early::before_the_login()).await;
}

#[tokio::test]
async fn before_the_plan() {
    run(early::before_the_plan()).await;
}

#[tokio::test]
async fn harmless() {
    run(early::harmless()).await;
}

#[tokio::test]
async fn readiness() {
    run(early::readiness()).await;
}

#[tokio::test]
async fn installation() {
    run(late::installation()).await;
}

#[tokio::test]
async fn rejoining() {
    run(late::rejoining()).await;
}

#[tokio::test]
async fn switching() {
    run(late::switching()).await;
}

#[tokio::test]
async fn several_commands_and_processes() {
    run(stories::all()).await;
}

fn all() -> Vec<&'static str> {
    let groups = [
        early::before_the_login(),
        early::before_the_plan(),
        early::harmless(),
        early::readiness(),
        late::installation(),
        late::rejoining(),
        late::switching(),
        stories::all(),
    ];
    groups.iter().flatten().map(|case| case.id).collect()
}

#[test]
fn every_scenario_that_is_shipped_has_its_case() {
    let tested: BTreeSet<&str> = all().into_iter().collect();
    let shipped: BTreeSet<&str> = Scenario::all().iter().map(|scenario| scenario.id).collect();
    let untested: Vec<_> = shipped.difference(&tested).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

/// The document names every number of the catalogue and every case here, and no case that is not.
#[test]
fn the_document_of_failure_modes_is_complete() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failure-modes.md");
    let document = elpis_run::fsx::read_to_string(path.as_ref()).unwrap();
    let rows = document
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .map(|(numbers, rest)| (numbers.split(", ").collect::<Vec<_>>(), rest));
    let documented: BTreeSet<u32> = rows
        .clone()
        .flat_map(|(numbers, _)| numbers)
        .filter_map(|number| number.parse().ok())
        .collect();
    let missing: Vec<u32> = (1..=88).filter(|n| !documented.contains(n)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    for (numbers, rest) in rows {
        let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
        let filled = cells.len() >= 3 && cells.iter().take(3).all(|cell| !cell.is_empty());
        assert!(filled, "{numbers:?}: what, behaviour and test");
    }
    let known: BTreeSet<&str> = all().into_iter().collect();
    let named: BTreeSet<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let is_numbered = |id: &&&str| id.starts_with(|c: char| c.is_ascii_digit());
    let undocumented: Vec<_> = known
        .difference(&named)
        .filter(|id| is_numbered(id))
        .collect();
    let invented: Vec<_> = named.difference(&known).collect();
    assert!(
        undocumented.is_empty(),
        "not in the document: {undocumented:?}"
    );
    assert!(invented.is_empty(), "no such case: {invented:?}");
}
