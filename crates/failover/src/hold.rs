//! Stopped and holding: why, in which state, and what next.

use serde::{Deserialize, Serialize};

use crate::concern::Concern;
use crate::state::Serving;

/// A run that stands still. The pair is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The step that has not come to its end.
    pub step: String,
    /// Why.
    pub concern: Concern,
    /// Whether the pair does its work.
    pub serving: Serving,
    /// What the pair looks like, in words.
    pub pair: String,
    /// What goes on by itself on a unit, in words.
    pub going_on: Option<String>,
    /// What the operator does next.
    pub next: String,
}
