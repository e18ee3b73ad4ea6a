//! SQL text: cut into statements, each recognised before it is carried out.

mod body;
mod comment;
mod guard;
mod kind;
mod modes;
mod reader;
mod rename;
mod splitter;
mod tokens;
mod tuples;
mod view;
mod words;

pub(in crate::restore) use body::is_foreign;
pub(in crate::restore) use guard::is_ambiguous;
pub use kind::StatementError;
pub(in crate::restore) use kind::{Kind, Object};
pub(in crate::restore) use modes::Modes;
pub(in crate::restore) use reader::{Part, SqlReader};
pub use splitter::SplitError;
pub(in crate::restore) use tokens::{Token, tokens};
pub(in crate::restore) use tuples::{RowSum, Tuples};
pub(in crate::restore) use view::{Role, names};
