//! Taking out exactly what was inserted, one transaction after the other, the last one first.

use std::time::Duration;

use elpis_mysql::{Backoff, Params, Session};

use super::content::Content;
use super::kept::{Kept, Mark, PASSING};
use crate::restore::error::RestoreError;
use crate::restore::session::{Ask, quoted};
use crate::restore::swap::{exists, make_durable};
use crate::restore::work::Work;

/// How often a transaction is tried that somebody is in the way of.
const TRIES: u32 = 20;

impl Work<'_> {
    /// Takes out of the live tables what was inserted and was not taken out yet. Rows that are
    /// gone meanwhile are none of those; of equal rows as many stay as were there besides.
    pub(in crate::restore) fn take_rows_out(&mut self) -> Result<(), RestoreError> {
        let opening = self.opening().reading_consistently();
        let clock = self.restore.clock;
        let (runtime, _, plan) = self.parts();
        runtime.block_on(async {
            let session = opening.open().await;
            let mut session =
                session.map_err(|source| RestoreError::server("opening a session", source))?;
            // A statement that deletes by its table's other name looks for it here.
            let live = quoted(&plan.policy.database)?;
            session.tell(&format!("USE {live}")).await?;
            let kept = Kept::new(&plan.old)?;
            if !exists(&mut session, &plan.old).await? {
                return Ok(());
            }
            kept.create(&mut session).await?;
            while let Some(mark) = kept.last(&mut session).await? {
                let found = plan.rows_tables().enumerate();
                let Some((nth, rows)) = found.into_iter().find(|(_, r)| r.table == mark.table)
                else {
                    let what = format!("{} has rows of {}", plan.old, mark.table);
                    return Err(RestoreError::NeedsPerson { what });
                };
                let (part, time) = (Some(rows.part.as_str()), rows.time.as_deref());
                let content = Content::look(&mut session, plan, &rows.table, part, time).await?;
                let fail = |source| {
                    RestoreError::server(format!("taking rows out of {}", mark.table), source)
                };
                let (base, cap) = (Duration::from_millis(20), Duration::from_secs(2));
                let mut backoff = Backoff::new(TRIES, base, cap);
                let copies = (&kept, kept.copies(nth)?);
                while let Err(error) = take_out(&mut session, &copies, &content, &mark).await {
                    if error.is_lost() {
                        return Err(fail(error));
                    }
                    session.rollback().await.map_err(fail)?;
                    match backoff.next().filter(|_| error.is_retryable()) {
                        Some(wait) => clock.sleep(wait).await,
                        None => return Err(fail(error)),
                    }
                }
            }
            // As where they were put in: the step is about to be done.
            make_durable(&mut session, &plan.old).await
        })
    }
}

/// Takes one transaction back: all rows that hold the same go, and as many as were there besides
/// come again.
async fn take_out(
    session: &mut Session,
    (kept, copies): &(&Kept, String),
    content: &Content,
    mark: &Mark,
) -> Result<(), elpis_mysql::Error> {
    let (columns, live) = (content.columns(""), &content.live);
    let batch = || Params::Positional(vec![mark.id.into()]);
    session.begin().await?;
    if mark.rows > 0 {
        let (condition, values) = content.within(mark.part, &mark.window);
        let ours = content.counted(copies, "elpis_batch = ?");
        let there = content.numbered(live, &condition);
        let besides = format!(
            "INSERT INTO {copies} (elpis_batch, {columns}) SELECT {PASSING}, {of_l} \
             FROM ({there}) l JOIN ({ours}) o ON o.elpis_id = l.elpis_id \
             WHERE l.elpis_nth > o.elpis_count",
            of_l = content.columns("l."),
        );
        let both = [values.clone(), vec![mark.id.into()]].concat();
        session.execute(&besides, Params::Positional(both)).await?;
        let delete = format!(
            "DELETE l FROM {live} l JOIN ({ours}) o ON o.elpis_id = {} WHERE {condition}",
            content.identity()
        );
        let both = [vec![mark.id.into()], values].concat();
        session.execute(&delete, Params::Positional(both)).await?;
        let again = format!(
            "INSERT INTO {live} ({columns}) SELECT {columns} FROM {copies} WHERE elpis_batch = {PASSING}"
        );
        session.execute(&again, Params::Empty).await?;
        let forget = format!("DELETE FROM {copies} WHERE elpis_batch IN ({PASSING}, ?)");
        session.execute(&forget, batch()).await?;
    }
    kept.unmark(session, mark.id).await?;
    session.commit().await
}
