//! Inserting what the live tables lack, one bounded transaction after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use elpis_mysql::{Backoff, Isolation, LoadProbe, Params, Session, Value};
use elpis_run::{ChunkTiming, Load, Pace, Throttle};

use super::content::Content;
use super::kept::{Kept, Mark};
use super::window::Window;
use crate::restore::error::RestoreError;
use crate::restore::event::RestoreEvent;
use crate::restore::pace::FillThrottle;
use crate::restore::plan::RestorePlan;
use crate::restore::session::{Ask, Opening, qualified, quoted};
use crate::restore::swap::{exists, make_durable};
use crate::restore::work::Work;

/// How often a transaction is tried that somebody is in the way of.
const TRIES: u32 = 20;

impl Work<'_> {
    /// Makes what is needed to remember what is inserted, and looks whether all of it can be.
    pub(in crate::restore) fn prepare_rows(&mut self) -> Result<(), RestoreError> {
        let (runtime, control, plan) = self.parts();
        runtime.block_on(async {
            let mut contents = Vec::new();
            for (nth, rows) in plan.rows_tables().enumerate() {
                contents.push((nth, Content::compare(control, plan, rows).await?));
            }
            let kept = Kept::new(&plan.old)?;
            kept.create(control).await?;
            for (nth, content) in &contents {
                kept.create_copies(control, *nth, content).await?;
            }
            Ok(())
        })
    }

    /// The parts of the owner that the text and the live database have, and what is to be said of
    /// the others.
    pub(in crate::restore) fn rows_parts(
        &mut self,
    ) -> Result<(Vec<u64>, Option<String>), RestoreError> {
        let (runtime, control, plan) = self.parts();
        let (Some(rows), Some(facts)) = (plan.policy.scope.rows(), &plan.facts.rows) else {
            return Ok((Vec::new(), None));
        };
        let parts = &rows.tables.parts;
        let sql = format!(
            "SELECT {} FROM {} WHERE {} = ? ORDER BY 1",
            quoted(&parts.key)?,
            qualified(&plan.side, &parts.table)?,
            quoted(&parts.owner)?
        );
        let owner = facts.owners.iter().map(|owner| Value::from(owner.key));
        let owner = Params::Positional(owner.collect());
        let in_text: Vec<u64> = runtime.block_on(control.ask(&sql, owner))?;
        let (both, gone): (Vec<u64>, Vec<u64>) = in_text
            .into_iter()
            .partition(|key| facts.parts.contains(key));
        let word = &parts.word;
        let remark = match (both.len(), gone.len()) {
            (0, 0) => Some(format!("the text has no {word} of it")),
            (_, 0) => None,
            (_, gone) => Some(format!(
                "{gone} {word} of the text are not there any more: their rows were left out"
            )),
        };
        Ok((both, remark))
    }

    /// Inserts what is missing and was not inserted yet.
    pub(in crate::restore) fn insert_rows(&mut self) -> Result<(), RestoreError> {
        let (parts, _) = self.rows_parts()?;
        let plan = self.plan;
        let tables = plan.rows_tables().map(|rows| Target {
            table: rows.table.clone(),
            part: Some(rows.part.clone()),
            time: rows.time.clone(),
        });
        let tables: Vec<Target> = tables.collect();
        self.fill(plan, &tables, &parts)
    }

    /// Inserts what follows the exchange and was not inserted yet, and looks whether that is all
    /// of it.
    pub(in crate::restore) fn fill_rest(&mut self) -> Result<(), RestoreError> {
        let plan = self.plan;
        let Some(rest) = &plan.rest else {
            return Ok(());
        };
        let tables = plan.later().iter().map(|later| Target {
            table: later.table.clone(),
            part: None,
            time: later.time.clone(),
        });
        let tables: Vec<Target> = tables.collect();
        self.fill(rest, &tables, &[ALL])?;
        let inserted = self.inserted_rows()?;
        for table in &rest.tables {
            let (name, planned) = (&table.text.name, table.text.rows);
            let found = inserted.get(name).copied().unwrap_or_default();
            if found != planned {
                let what = format!("{found} rows of {planned} were put into {name}");
                return Err(RestoreError::NeedsPerson { what });
            }
        }
        Ok(())
    }

    fn fill(
        &mut self,
        plan: &RestorePlan,
        tables: &[Target],
        parts: &[u64],
    ) -> Result<(), RestoreError> {
        let opening = self.opening().reading_consistently();
        let restore = self.restore;
        self.runtime.block_on(async {
            let session = opening.open().await;
            let session =
                session.map_err(|source| RestoreError::server("opening a session", source))?;
            let mut fill = Fill {
                session,
                probe: LoadProbe::new(restore.connect.clone(), Vec::new()),
                throttle: FillThrottle::new(&plan.policy.pace),
                kept: Kept::new(&plan.old)?,
                work: self,
                inserted: 0,
            };
            fill.kept.create(&mut fill.session).await?;
            let totals = fill.kept.totals(&mut fill.session).await?;
            fill.inserted = totals.iter().map(|(_, rows)| rows).sum();
            fill.all(plan, tables, parts).await?;
            // The step is about to be done, and its last transactions must not be gone later.
            make_durable(&mut fill.session, &plan.old).await
        })
    }

    /// How many rows each table would get.
    pub(in crate::restore) fn count_rows(
        &mut self,
    ) -> Result<(BTreeMap<String, u64>, Option<String>), RestoreError> {
        let (parts, remark) = self.rows_parts()?;
        let stop = self.restore.stop;
        let (runtime, control, plan) = self.parts();
        let counts = runtime.block_on(async {
            let mut counts = BTreeMap::new();
            for rows in plan.rows_tables() {
                let content = Content::compare(control, plan, rows).await?;
                let count: &mut u64 = counts.entry(rows.table.clone()).or_default();
                for part in &parts {
                    let mut last = None;
                    while let Some(window) =
                        Window::next(control, &content, *part, last, COUNTED).await?
                    {
                        if stop.is_stopped() {
                            return Err(RestoreError::Stopped);
                        }
                        *count += content.count(control, *part, &window).await?;
                        last = Some(window);
                    }
                }
            }
            Ok(counts)
        })?;
        Ok((counts, remark))
    }

    /// What was inserted into each table.
    pub(in crate::restore) fn inserted_rows(
        &mut self,
    ) -> Result<BTreeMap<String, u64>, RestoreError> {
        let (runtime, control, plan) = self.parts();
        runtime.block_on(async {
            if !exists(control, &plan.old).await? {
                return Ok(BTreeMap::new());
            }
            let totals = Kept::new(&plan.old)?.totals(control).await?;
            Ok(totals.into_iter().collect())
        })
    }
}

/// A table that is filled.
struct Target {
    table: String,
    /// The column with the part; `None` if all rows come.
    part: Option<String>,
    time: Option<String>,
}

/// What stands for the part where all rows come.
const ALL: u64 = 0;
/// So many rows are counted at a time.
const COUNTED: u64 = 20_000;

impl Opening {
    /// What a transaction reads for what it writes is not changed by others before its end.
    pub(super) fn reading_consistently(self) -> Opening {
        Opening {
            isolation: Isolation::RepeatableRead,
            ..self
        }
    }
}

struct Fill<'w, 'a> {
    session: Session,
    probe: LoadProbe,
    throttle: FillThrottle,
    kept: Kept,
    work: &'w Work<'a>,
    inserted: u64,
}

impl Fill<'_, '_> {
    async fn all(
        &mut self,
        plan: &RestorePlan,
        tables: &[Target],
        parts: &[u64],
    ) -> Result<(), RestoreError> {
        let mut resumed = self.kept.last(&mut self.session).await?;
        let mut id = resumed.as_ref().map_or(0, |mark| mark.id);
        let mut timing = None;
        for (nth, target) in tables.iter().enumerate() {
            // What an earlier try was done with.
            let is_done = |mark: &Mark| mark.table != target.table;
            if resumed.as_ref().is_some_and(is_done) {
                continue;
            }
            let (table, part) = (&target.table, target.part.as_deref());
            let time = target.time.as_deref();
            let content = Content::look(&mut self.session, plan, table, part, time).await?;
            for part in parts {
                if resumed.as_ref().is_some_and(|mark| mark.part != *part) {
                    continue;
                }
                let mut last = resumed.take().map(|mark| mark.window);
                loop {
                    let rows_at_once = self.go(timing.as_ref()).await?;
                    let window =
                        Window::next(&mut self.session, &content, *part, last, rows_at_once);
                    let Some(window) = window.await? else { break };
                    id += 1;
                    let mark = Mark {
                        id,
                        table: target.table.clone(),
                        part: *part,
                        window,
                        rows: 0,
                    };
                    timing = Some(self.persist(nth, &content, mark, rows_at_once).await?);
                    last = Some(window);
                }
            }
        }
        Ok(())
    }

    /// Waits as long as the throttle says, and returns how many rows come next.
    async fn go(&mut self, timing: Option<&ChunkTiming>) -> Result<u64, RestoreError> {
        let restore = self.work.restore;
        let mut timing = timing;
        loop {
            if restore.stop.is_stopped() {
                return Err(RestoreError::Stopped);
            }
            let load: Load = match self.throttle.looks() {
                true => self.probe.sample().await,
                false => Load::default(),
            };
            match self.throttle.pace(timing.take(), &load) {
                Pace::Go { rows, pause } => {
                    restore.clock.sleep(pause).await;
                    return Ok(rows);
                }
                Pace::Hold { retry_after, why } => {
                    restore.observer.on(&RestoreEvent::Holding { why });
                    restore.clock.sleep(retry_after).await;
                }
                Pace::Stop { .. } => return Err(RestoreError::Stopped),
            }
        }
    }

    /// One transaction, however often it takes to try it.
    async fn persist(
        &mut self,
        nth: usize,
        content: &Content,
        mut mark: Mark,
        asked: u64,
    ) -> Result<ChunkTiming, RestoreError> {
        let clock = self.work.restore.clock;
        let copies = self.kept.copies(nth)?;
        let (base, cap) = (Duration::from_millis(20), Duration::from_secs(2));
        let mut backoff = Backoff::new(TRIES, base, cap);
        loop {
            let begun = clock.monotonic();
            match self.insert(&copies, content, &mut mark).await {
                Ok(()) => {
                    self.inserted += mark.rows;
                    let rows = self.inserted;
                    let table = mark.table.clone();
                    let event = RestoreEvent::Inserted { table, rows };
                    self.work.restore.observer.on(&event);
                    return Ok(ChunkTiming {
                        asked,
                        examined: asked,
                        changed: mark.rows,
                        took: clock.monotonic().saturating_sub(begun),
                    });
                }
                Err(error) => {
                    let fail = |source| {
                        RestoreError::server(format!("inserting rows of {}", mark.table), source)
                    };
                    if error.is_lost() {
                        return Err(fail(error));
                    }
                    self.session.rollback().await.map_err(fail)?;
                    match backoff.next().filter(|_| error.is_retryable()) {
                        Some(wait) => clock.sleep(wait).await,
                        None => return Err(fail(error)),
                    }
                }
            }
        }
    }

    async fn insert(
        &mut self,
        copies: &str,
        content: &Content,
        mark: &mut Mark,
    ) -> Result<(), elpis_mysql::Error> {
        let (columns, live) = (content.columns(""), &content.live);
        if content.is_of_all() {
            let (condition, values) = content.within(mark.part, &mark.window);
            let side = &content.side;
            let session = &mut self.session;
            session.begin().await?;
            let insert = format!(
                "INSERT INTO {live} ({columns}) SELECT {columns} FROM {side} WHERE {condition}"
            );
            mark.rows = session.execute(&insert, Params::Positional(values)).await?;
            self.kept.mark(session, mark).await?;
            return session.commit().await;
        }
        let (missing, values) = content.missing(mark.part, &mark.window);
        let of_s = content.columns("s.");
        let session = &mut self.session;
        session.begin().await?;
        let values = [vec![Value::from(mark.id)], values].concat();
        let copy =
            format!("INSERT INTO {copies} (elpis_batch, {columns}) SELECT ?, {of_s} {missing}");
        mark.rows = session.execute(&copy, Params::Positional(values)).await?;
        if mark.rows > 0 {
            let insert = format!(
                "INSERT INTO {live} ({columns}) SELECT {columns} FROM {copies} WHERE elpis_batch = ?"
            );
            let batch = Params::Positional(vec![mark.id.into()]);
            session.execute(&insert, batch).await?;
        }
        self.kept.mark(session, mark).await?;
        session.commit().await
    }
}
