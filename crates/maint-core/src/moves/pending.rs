//! Steps that were cut off between copy and deletion: what the records of both sides say of them.

use jiff::Timestamp;

use crate::store::{MoveStore, StoreError, Window};

/// A step whose rows came to the history database and, as far as the active one remembers, did not
/// go there. The next run of moves begins with finishing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMove {
    /// The table.
    pub table: String,
    /// How many rows it copied, what hung on them not counted.
    pub rows: u64,
    /// Where they were.
    pub window: Window,
    /// When the step began, by the clock of the history database's server, if its name tells.
    pub since: Option<Timestamp>,
}

/// The steps that are not finished, by table. While a run is at work, its own step is one of them
/// for as long as it takes. Changes nothing.
///
/// # Errors
/// [`StoreError`] of either side.
pub async fn pending_moves<A: MoveStore, H: MoveStore>(
    active: &mut A,
    history: &mut H,
) -> Result<Vec<PendingMove>, StoreError> {
    let deleted = active.last_moves().await?;
    let copied = history.last_moves().await?;
    let is_done = |table: &String, id: &String| {
        let mut deleted = deleted.iter();
        deleted.any(|(other, record)| other == table && record.id == *id)
    };
    let open = copied.into_iter();
    let open = open.filter(|(table, record)| !is_done(table, &record.id));
    Ok(open
        .map(|(table, record)| PendingMove {
            table,
            rows: record.rows,
            since: begun(&record.id),
            window: record.window,
        })
        .collect())
}

/// When a UUID of version 1, as `UUID()` makes them, was made: it counts the tenths of a microsecond
/// since 1582-10-15 (RFC 9562, 5.1).
fn begun(id: &str) -> Option<Timestamp> {
    const UNIX_EPOCH: i64 = 0x01b2_1dd2_1381_4000;
    let mut parts = id.split('-');
    let mut part = || i64::from_str_radix(parts.next()?, 16).ok();
    let (low, mid, high) = (part()?, part()?, part()?);
    if high >> 12 != 1 {
        return None;
    }
    let tenths = (high & 0xfff) << 48 | mid << 32 | low;
    Timestamp::from_microsecond((tenths - UNIX_EPOCH) / 10).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_step_tells_when_it_began() {
        // The example of RFC 9562, A.1.
        let at = begun("C232AB00-9414-11EC-B3C8-9F6BDECED846");
        assert_eq!(at, "2022-02-22T19:22:22Z".parse().ok());
        for other in ["", "x", "919108f7-52d1-4320-9bac-f847db4148a8"] {
            assert_eq!(begun(other), None, "{other}");
        }
    }
}
