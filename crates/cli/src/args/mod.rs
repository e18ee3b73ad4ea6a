//! What can be written on the command line. Only clap: no logic, no defaults that depend on
//! anything.

pub(crate) mod maint;
