//! `plan --pandora`: what a run would do to an installation. Changes nothing.

use anyhow::Result;
use elpis_maint_core::compact::{CompactPlan, SeriesInspection};
use elpis_maint_core::housekeeping::{
    Housekeeping, HousekeepingEvent, HousekeepingFacts, HousekeepingInspection, HousekeepingPlan,
};
use elpis_maint_core::moves::{MovePlan, MovePolicy};
use elpis_maint_core::{MySqlStore, Refusal};
use elpis_pandora::{hold_what_is_denied, lacking_for_compaction};
use elpis_run::{Clock, FnObserver, RealClock};
use serde::Serialize;

use super::history::{self, History, HistoryPlan};
use super::{Selection, Wanted, ask, master, moves, named, session};
use crate::commands::journal::{self, Measured};
use crate::commands::store::mysql;
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer, Spinner};
use crate::settings::{Pandora, Server, Settings};

/// The plans of all parts of a run. In JSON: the first one's, with the compaction's and the history
/// database's as further fields.
#[derive(Debug, Serialize)]
pub(crate) struct PandoraPlans {
    #[serde(flatten)]
    pub(crate) housekeeping: HousekeepingPlan,
    /// What moves to the history database, before everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) moves: Option<MovePlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compaction: Option<CompactPlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<HistoryPlan>,
    /// What is left out until a person has seen to it, other than in the parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) concerns: Vec<String>,
}

/// What is true of a database, as far as these tasks are concerned.
pub(super) async fn facts(
    wanted: &Housekeeping,
    exact: bool,
    (store, beside): (&mut MySqlStore, Option<&mut MySqlStore>),
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<HousekeepingFacts> {
    let spinner = Spinner::new(printer.is_watched());
    spinner.show("looking at the tables".to_owned());
    let counting = FnObserver(|event: &HousekeepingEvent| {
        if let HousekeepingEvent::Counted { sweep, due, .. } = event {
            spinner.show(format!("counting {sweep}: {}", output::number(*due)));
        }
    });
    let inspection = HousekeepingInspection {
        clock: &RealClock::new(),
        observer: &counting,
        stop: &interrupt.stop,
        exact,
    };
    Ok(inspection.run_beside(wanted, store, beside).await?)
}

impl PandoraPlans {
    /// Looks at the product's own database, with a second session's help if there is one, and makes
    /// the plans. What the account may not do is held back.
    pub(super) async fn make(
        (wanted, server): (&Wanted, &Server),
        exact: bool,
        (store, beside): (&mut MySqlStore, Option<&mut MySqlStore>),
        measured: impl FnOnce(&str) -> Result<Measured>,
        printer: Printer,
        interrupt: &Interrupt,
    ) -> Result<PandoraPlans> {
        let stores = (&mut *store, beside);
        let facts = facts(&wanted.housekeeping, exact, stores, printer, interrupt).await?;
        let series = if wanted.compaction.series.is_empty() {
            None
        } else {
            let spinner = Spinner::new(printer.is_watched());
            spinner.show("looking at a sample of the series".to_owned());
            let inspection = SeriesInspection {
                clock: &RealClock::new(),
                stop: &interrupt.stop,
            };
            Some(inspection.run(&wanted.compaction, store).await?)
        };
        let measured = measured(&facts.purge.server.target)?;
        let housekeeping = HousekeepingPlan::new(&wanted.housekeeping, &facts, &measured.purge);
        let compaction = series
            .map(|series| CompactPlan::new(&wanted.compaction, &series, &measured.compaction));
        let mut plans = PandoraPlans {
            housekeeping,
            moves: None,
            compaction,
            history: None,
            concerns: Vec::new(),
        };
        plans.hold_what_is_denied(wanted, server).await;
        Ok(plans)
    }

    /// Leaves out what the account may not do. Where nobody can be asked (the account has no session
    /// left for it), the run finds out.
    async fn hold_what_is_denied(&mut self, wanted: &Wanted, server: &Server) {
        let Ok(mut session) = session(server).await else {
            return;
        };
        let _ = hold_what_is_denied(&mut self.housekeeping, &mut session).await;
        let rules = &wanted.compaction.series;
        if self.compaction.is_some()
            && let Ok(Some(lacking)) = lacking_for_compaction(rules, &mut session).await
        {
            self.compaction = None;
            self.concerns.push(format!(
                "the account lacks {lacking}: nothing is compacted; GRANT it on the whole database"
            ));
        }
        let _ = session.close().await;
    }

    /// Why a run would be refused, each reason once.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = self.housekeeping.refusals.clone();
        for refusal in self.compaction.iter().flat_map(|plan| &plan.refusals) {
            if !refusals.contains(refusal) {
                refusals.push(refusal.clone());
            }
        }
        refusals
    }

    /// What an operator should know, each once.
    pub(super) fn warnings(&self) -> Vec<&String> {
        let mut warnings: Vec<&String> = self.housekeeping.warnings.iter().collect();
        warnings.extend(&self.concerns);
        for warning in self.compaction.iter().flat_map(|plan| &plan.warnings) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

pub(crate) async fn plan(
    settings: &Settings,
    selection: &Selection,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let Some((pandora, server)) = named(settings) else {
        return Ok(Verdict::silent(Code::Usage));
    };
    let now = RealClock::new().now();
    let mut wanted = ask(settings, (pandora, server), selection, now, printer).await?;
    let mut there = history_at(settings, pandora, &mut wanted, selection, printer).await;
    let mut store = mysql(settings, server, printer).await?;
    let mut moving = None;
    if let Some(Ok((history, policy))) = &mut there
        && !policy.rules.is_empty()
    {
        let history = &mut history.store;
        match moves::plan(policy, &mut store, history, exact, printer, interrupt).await {
            Ok(plan) => {
                let staying = staying(&plan);
                moves::hold_back(&mut wanted, &staying, "which would not succeed");
                moving = Some(plan);
            }
            Err(error) => {
                let tables: Vec<&str> = policy.rules.iter().map(|rule| &*rule.table).collect();
                moves::hold_back(&mut wanted, &tables, "which would not succeed");
                there = Some(Err(format!("{error:#}")));
            }
        }
    }
    let measured = |target: &str| {
        let (rates, trouble) = journal::rates(&settings.state, target);
        if let Some(error) = trouble {
            let error = anyhow::Error::from(error);
            printer.say(&format!("warning: no rates of earlier runs: {error:#}"));
        }
        Ok(rates)
    };
    let alone = (&mut store, None);
    let mut plans = PandoraPlans::make(
        (&wanted, server),
        exact,
        alone,
        measured,
        printer,
        interrupt,
    )
    .await?;
    if let Some(moves) = moving {
        moves::leave_less(&mut plans.housekeeping, &moves);
        plans.moves = Some(moves);
    }
    plans.history = match there {
        None => None,
        Some(Err(error)) => Some(HistoryPlan::Unknown { error }),
        Some(Ok((mut history, _))) => {
            let plan = async {
                let (rates, _) = journal::rates(&settings.state, history.store.target());
                let there = history.plan(exact, &rates, printer, interrupt).await?;
                let mut compaction = None;
                if selection.compact_history {
                    let active = (server, &wanted.installation);
                    let plan = history.compaction(settings, active, &rates, printer, interrupt);
                    compaction = plan.await?;
                }
                anyhow::Ok((there, compaction))
            };
            match plan.await {
                Ok((housekeeping, compaction)) => {
                    history::is_meant(selection).then(|| HistoryPlan::Known {
                        housekeeping: Box::new(housekeeping),
                        compaction: compaction.map(Box::new),
                    })
                }
                Err(error) => Some(HistoryPlan::Unknown {
                    error: format!("{error:#}"),
                }),
            }
        }
    };
    if printer.json {
        printer.document(&plans)?;
    } else {
        printer.data(&output::pandora_plans(&plans))?;
    }
    for warning in plans.warnings() {
        printer.say(&format!("warning: {warning}"));
    }
    if let Err(error) = master(&wanted, pandora) {
        printer.say(&format!("warning: a run would need --force: {error}"));
    }
    let refusals = plans.refusals();
    for refusal in &refusals {
        printer.always(&format!("refused: {refusal}"));
    }
    if !refusals.is_empty() {
        return Ok(Verdict::silent(Code::Refused));
    }
    let held = plans.moves.as_ref().map(held).unwrap_or_default();
    Ok(match &plans.history {
        Some(HistoryPlan::Unknown { error }) => Verdict::new(
            Code::Partial,
            format!("the history database: {error}"),
            "a run would keep the product's own database in order and end with the same words",
        ),
        Some(plan) if !plan.refusals().is_empty() => {
            let refusals: Vec<String> = plan.refusals().iter().map(ToString::to_string).collect();
            Verdict::new(
                Code::Partial,
                format!("the history database: {}", refusals.join("; ")),
                "a run would do everything else and end with the same words",
            )
        }
        _ if !held.is_empty() => Verdict::new(
            Code::Partial,
            format!("moving to the history database: {}", held.join("; ")),
            "a run would do everything else, and not delete what should move, nor modules and agents",
        ),
        _ => Verdict::silent(Code::Done),
    })
}

/// The history database and what moves there, if a run of this selection has to do with it; an
/// error in words if it cannot be used, and what it should get is then not deleted here.
async fn history_at(
    settings: &Settings,
    pandora: &Pandora,
    wanted: &mut Wanted,
    selection: &Selection,
    printer: Printer,
) -> Option<Result<(History, MovePolicy), String>> {
    if let Some(error) = moves::unusable(wanted, selection) {
        return Some(Err(error));
    }
    let place = wanted.settings.history.as_ref().ok()?.as_ref()?;
    let policy = moves::policy(settings, pandora, wanted, place, selection);
    if policy.rules.is_empty() && !history::is_meant(selection) {
        return None;
    }
    let opened = History::open(settings, (pandora, place), selection, printer).await;
    Some(match opened {
        Ok(history) => Ok((history, policy)),
        Err(error) => {
            let tables: Vec<&str> = policy.rules.iter().map(|rule| &*rule.table).collect();
            moves::hold_back(wanted, &tables, "which cannot be used");
            Err(format!("{error:#}"))
        }
    })
}

/// The tables of which not everything would move.
fn staying(moves: &MovePlan) -> Vec<&str> {
    let all = !moves.refusals.is_empty();
    let tables = moves.tables.iter();
    let staying = tables.filter(|table| all || table.held.is_some());
    staying.map(|table| table.table.as_str()).collect()
}

/// Why not everything would move.
fn held(moves: &MovePlan) -> Vec<String> {
    let refused = moves.refusals.iter().map(ToString::to_string);
    let held = moves.tables.iter().filter_map(|table| {
        let why = table.held.as_ref()?;
        Some(format!("table {} {why}", table.table))
    });
    refused.chain(held).collect()
}
