//! What can be written on the command line. Only clap: no logic, no defaults that depend on
//! anything.

#[cfg(feature = "maint")]
pub(crate) mod maint;
mod manners;

pub(crate) use manners::Manners;
