//! Stretches of time, the newest first, each with about as many rows as one transaction is to have.

use elpis_mysql::{Params, Session, Value};

use super::content::Content;
use crate::restore::error::RestoreError;
use crate::restore::session::Ask;

/// A stretch of time of one part's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// From one moment on, before another one or to the end.
    Times { from: i64, below: Option<i64> },
    /// Rows without a time, or all rows of a table that knows none: the last one.
    Rest,
}

impl Window {
    /// Adds what belongs to it to a condition.
    pub(super) fn narrow(&self, time: &str, condition: &mut String, values: &mut Vec<Value>) {
        match self {
            Window::Times { from, below } => {
                *condition += &format!(" AND {time} >= ?");
                values.push((*from).into());
                if let Some(below) = below {
                    *condition += &format!(" AND {time} < ?");
                    values.push((*below).into());
                }
            }
            Window::Rest => *condition += &format!(" AND {time} IS NULL"),
        }
    }

    /// The next one of a part after `last`, with about `rows` rows of what was loaded; `None` if
    /// there is nothing more.
    pub(super) async fn next(
        session: &mut Session,
        content: &Content,
        part: u64,
        last: Option<Window>,
        rows: u64,
    ) -> Result<Option<Window>, RestoreError> {
        let below = match last {
            Some(Window::Rest) => return Ok(None),
            Some(Window::Times { from, .. }) => Some(from),
            None => None,
        };
        let Some(time) = &content.time else {
            return Ok(Some(Window::Rest));
        };
        let all = Window::Times {
            from: i64::MIN,
            below,
        };
        let (condition, values) = content.within(part, &all);
        let side = &content.side;
        let far = format!(
            "SELECT CAST({time} AS SIGNED) FROM {side} WHERE {condition} ORDER BY {time} DESC \
             LIMIT 1 OFFSET {}",
            rows.saturating_sub(1)
        );
        let first = format!("SELECT CAST(MIN({time}) AS SIGNED) FROM {side} WHERE {condition}");
        let values = Params::Positional(values);
        let mut from: Option<i64> = session.ask_first(&far, values.clone()).await?;
        if from.is_none() {
            from = session
                .ask_first::<Option<i64>>(&first, values)
                .await?
                .flatten();
        }
        if let Some(from) = from {
            return Ok(Some(Window::Times { from, below }));
        }
        let (condition, values) = content.within(part, &Window::Rest);
        let sql = format!("SELECT COUNT(*) FROM {side} WHERE {condition}");
        let rest: Option<u64> = session.ask_first(&sql, Params::Positional(values)).await?;
        Ok((rest > Some(0)).then_some(Window::Rest))
    }
}
