//! A database like that of a Pandora FMS installation (7.0NG.776), filled by the server itself,
//! and what must become of it by another way than ours.
//!
//! Tables, columns, types, indexes and foreign keys are those that were observed in a real
//! installation; small tables that only others point at have the columns that matter.
//!
//! Special cases have fixed places, counted from behind. Modules: 0 to 29 are pending deletion (3
//! and 4 also disabled, 0 to 4 without a state), 30 to 49 were never initialised (30 to 34 are
//! disabled, 40 to 44 young, 47 to 49 due less than daily, of which 49 is known to be old), 50 to 64 are unknown (55 to 59 only lately, 60 to 64 are disabled),
//! 65 to 74 have no state, 75 to 79 two, 80 to 129 no agent (80 to 89 no state either), 130 to 134
//! were never initialised and belong to agent 3. Agents: 0 to 10 are disabled but for 8, which is
//! only silent; 5, 6, 7 and 10 by themselves; around the limits to the second; 9 never reported;
//! 20 to 29 have no alias, 30 a blank.

mod fill;
mod installation;
pub mod oracle;
mod schema;

pub use installation::{Days, Installation, QUICK};
pub use schema::{Edition, tables};
