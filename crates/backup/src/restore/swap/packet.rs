//! Whether the server takes the statements of an exchange, which name every table.

use elpis_mysql::{Params, Session};

use super::rename::{Moves, base_tables, live_tables, lock_tables};
use crate::restore::accept::Refusal;
use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::plan::RestorePlan;
use crate::restore::session::Ask;

/// Sizes of packets are multiples of this.
const UNIT: u64 = 1024;

/// The databases of an exchange.
#[derive(Debug, Clone, Copy)]
struct Places<'a> {
    live: &'a str,
    /// What was loaded.
    side: &'a str,
    /// Where the tables go that are there.
    old: &'a str,
    /// Where those go that came, when they are taken back.
    new: &'a str,
}

impl RestorePlan {
    /// What is wrong with the server's `max_allowed_packet`, if anything is. Sequences of the text
    /// are not known yet.
    pub(in crate::restore) fn packet_wrong(&self) -> Option<String> {
        let live = self.facts.live.iter().flat_map(|live| &live.tables);
        let there =
            live.filter(|name| self.policy.scope.concerns(name) && !name.starts_with(OWN_PREFIX));
        let there: Vec<String> = there.cloned().collect();
        let coming = self.tables.iter().map(|table| table.text.name.clone());
        let coming: Vec<String> = coming.collect();
        let packet = self.facts.max_allowed_packet;
        // A name that cannot be quoted is refused for itself.
        let longest = self.longest(&there, &coming).ok()?;
        too_long(longest, packet)
    }

    fn longest(&self, there: &[String], coming: &[String]) -> Result<u64, RestoreError> {
        let places = Places {
            live: &self.policy.database,
            side: &self.side,
            old: &self.old,
            new: &self.new_database(),
        };
        longest(places, there, coming)
    }
}

/// The same of what is there now, before anything is stopped or taken down.
///
/// # Errors
/// [`RestoreError::Refused`].
pub(in crate::restore) async fn expect_packet(
    session: &mut Session,
    plan: &RestorePlan,
) -> Result<(), RestoreError> {
    let there = live_tables(session, &plan.policy).await?;
    let coming = base_tables(session, &plan.side).await?;
    let sql = "SELECT @@SESSION.max_allowed_packet";
    let packet: Option<u64> = session.ask_first(sql, Params::Empty).await?;
    let bytes = plan.longest(&there, &coming)?;
    match too_long(bytes, packet.unwrap_or_default()) {
        None => Ok(()),
        Some(what) => {
            let refusals = vec![Refusal { accept: None, what }];
            Err(RestoreError::Refused { refusals })
        }
    }
}

/// Bytes of the longest statement that exchanging the tables that are `there` for those that are
/// `coming` needs, or taking that back.
fn longest(at: Places<'_>, there: &[String], coming: &[String]) -> Result<u64, RestoreError> {
    let (mut exchange, mut back) = (Moves::default(), Moves::default());
    exchange.add(there, at.live, at.old)?;
    exchange.add(coming, at.side, at.live)?;
    back.add(coming, at.live, at.new)?;
    back.add(there, at.old, at.live)?;
    let statements = [
        exchange.sql(),
        back.sql(),
        lock_tables(at.live, there)?,
        lock_tables(at.live, coming)?,
    ];
    let longest = statements.iter().map(String::len).max();
    Ok(longest.unwrap_or_default() as u64)
}

/// What is wrong with a server of this `max_allowed_packet`, if anything is. A packet has one byte
/// besides the statement, and must be shorter than the limit.
fn too_long(bytes: u64, packet: u64) -> Option<String> {
    let needed = (bytes + 2).next_multiple_of(UNIT);
    (bytes + 1 >= packet).then(|| {
        format!(
            "the statement that exchanges all tables has {bytes} bytes, and the server's \
             max_allowed_packet is {packet}: SET GLOBAL max_allowed_packet = {needed}, and the same \
             in its configuration until nothing is to be undone any more"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_what_is_sent() {
        let names = |all: &[&str]| {
            all.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let at = Places {
            live: "p",
            side: "p_side",
            old: "p_old",
            new: "p_n",
        };
        let (there, coming) = (names(&["a", "b`c"]), names(&["a"]));
        let exchange = "RENAME TABLE `p`.`a` TO `p_old`.`a`, `p`.`b``c` TO `p_old`.`b``c`, \
                        `p_side`.`a` TO `p`.`a`";
        assert_eq!(longest(at, &there, &coming).unwrap(), exchange.len() as u64);
        // Taking back may be longer, since what came is more.
        let coming = names(&["a", "b", "c", "d"]);
        let at = Places {
            new: "p_longer_new",
            ..at
        };
        let back = "RENAME TABLE `p`.`a` TO `p_longer_new`.`a`, `p`.`b` TO `p_longer_new`.`b`, \
                    `p`.`c` TO `p_longer_new`.`c`, `p`.`d` TO `p_longer_new`.`d`, \
                    `p_old`.`a` TO `p`.`a`, `p_old`.`b``c` TO `p`.`b``c`";
        assert_eq!(longest(at, &there, &coming).unwrap(), back.len() as u64);
        assert_eq!(longest(at, &[], &[]).unwrap(), "RENAME TABLE ".len() as u64);
    }

    #[test]
    fn a_packet_has_a_byte_more_and_its_limit_is_no_length_of_one() {
        assert_eq!(too_long(1022, 1024), None);
        let said = too_long(1023, 1024).unwrap();
        assert!(said.contains("max_allowed_packet = 2048"), "{said}");
        let said = too_long(2045, 1024).unwrap();
        assert!(said.contains("max_allowed_packet = 2048"), "{said}");
        let said = too_long(2047, 1024).unwrap();
        assert!(said.contains("max_allowed_packet = 3072"), "{said}");
    }
}
