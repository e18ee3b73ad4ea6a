//! The command line of `elpis-maint`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::Manners;

/// Housekeeping of a monitoring database: what is expired goes, what is old gets smaller with
/// charts that stay the same, in small steps, beside live traffic.
#[derive(Debug, Parser)]
#[command(name = "elpis-maint", version, max_term_width = 100, after_help = MAIN_EXAMPLES)]
pub(crate) struct Maint {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration [default: $ELPIS_CONFIG, or /etc/elpis/maint.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Keep a Pandora FMS installation in order, as its own pandora_server.conf and its database
    /// say; --config may add to that
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) pandora: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) manners: Manners,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Look at the policy without looking at the database
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Show what a run would do; changes nothing
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Delete what is expired, then compact what is old
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Hold compacted tables against what the side tables remember; changes nothing
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify,
    /// Tell whether a run is at work, and how the last one ended
    Status(Status),
    /// Look for what keeps the maintenance of a Pandora FMS installation from doing its work
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Let the maintenance of a Pandora FMS installation run every hour
    #[command(after_help = INSTALL_EXAMPLES)]
    Install(Install),
    /// List earlier runs, or show everything that is known of one
    #[command(after_help = HISTORY_EXAMPLES)]
    History(History),
    /// Create a monitoring database, purge and compact it, verify it and write a report
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Write a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual page
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Check the configuration and say in words what it asks for
    Check,
    /// List every setting with its value
    Show {
        /// As they take effect, with where each comes from: asks the database for its part
        #[arg(long)]
        effective: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Count rows in bounded steps instead of estimating them
    #[arg(long)]
    pub(crate) exact: bool,
    #[command(flatten)]
    pub(crate) parts: Parts,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

/// What of a run is meant.
#[derive(Debug, Args)]
pub(crate) struct Parts {
    /// Only these parts, in their usual order: purge, compact; with --pandora also check,
    /// integrity, history, enterprise, and single tasks by the id that plan shows
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Leave out compaction, as with the tool that Elpis replaces
    #[arg(short = 'p', long, conflicts_with = "only")]
    pub(crate) purge_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Let a run delete up to this share (above 0, up to 1) of any table, and no more
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) max_share: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Begin no chunk after this long, such as 50m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_time: Option<Duration>,
    /// Delete or leave out no more rows than this
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_rows: Option<u64>,
    #[command(flatten)]
    pub(crate) parts: Parts,
    #[command(flatten)]
    pub(crate) consent: Consent,
    /// With --pandora: work although this host's server is not the master
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Large chunks without pauses, whatever the load
    #[arg(long)]
    pub(crate) no_throttle: bool,
    /// Count first, so that progress has an exact goal
    #[arg(long)]
    pub(crate) exact: bool,
    /// Only show the plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Work in the background, whatever becomes of the terminal, and write to background.log in
    /// the state directory; `status --follow` shows how far it is
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) background: bool,
    /// This is the run in the background.
    #[arg(long, hide = true, requires = "background")]
    pub(crate) detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Show what the run in the background says, until it ends
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Look at the system whose root is this directory; --pandora and --config name files inside it
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Write /etc/cron.hourly/elpis-maint
    #[arg(long, required_unless_present = "systemd_timer")]
    pub(crate) cron: bool,
    /// Write elpis-maint.service and elpis-maint.timer to /etc/systemd/system, enable and start them
    #[arg(long, conflicts_with = "cron")]
    pub(crate) systemd_timer: bool,
    /// Keep the hourly job of the tool that Elpis replaces from running: its file stays, and loses
    /// its executable bits
    #[arg(long)]
    pub(crate) disable_incumbent: bool,
    /// Write to the system whose root is this directory; --pandora and --config name files inside it
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// At most so many runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
    /// The number of one run
    pub(crate) run: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Put everything into this new or empty directory [default: a temporary one, which is kept]
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// About how many rows the database gets
    #[arg(long, default_value_t = 2_200_000, value_parser = clap::value_parser!(u64).range(10_000..=50_000_000))]
    pub(crate) rows: u64,
    /// How many days they span
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(8..=730))]
    pub(crate) days: u32,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if share > 0.0 && share <= 1.0 {
        return Ok(share);
    }
    Err("must be above 0 and up to 1".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "not a duration such as 90s, 50m or 2h30m".to_owned())?;
    match Duration::try_from(span) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be longer than nothing".to_owned()),
    }
}

const MAIN_EXAMPLES: &str = "\
Examples:
  elpis-maint demo                       see everything at work on a database of its own
  elpis-maint policy check               is the configuration right?
  elpis-maint plan                       what would go, and what would get smaller?
  elpis-maint run --max-time 50m         let it go, for at most 50 minutes
  elpis-maint doctor --pandora /etc/pandora/pandora_server.conf
                                         what keeps a Pandora FMS database from being kept in order?

Exit codes: 0 done, 1 internal error, 2 usage or configuration, 3 refused, 4 stopped part-way,
5 needs a person, 6 another run holds the lock, 7 partial, 8 unreachable, 130 interrupted.";

const PLAN_EXAMPLES: &str = "\
Examples:
  elpis-maint plan                       estimates, marked with ~, within a second
  elpis-maint plan --exact               counted to the row
  elpis-maint plan --format json | jq '.tables[] | {table: .task.table, due}'";

const RUN_EXAMPLES: &str = "\
What is expired goes first, then old series are compacted; limits hold for both together. Ctrl-C or
SIGTERM ends the run after the chunk it is at; once more, at once. Either way the next run simply
continues.

Examples:
  elpis-maint run --max-time 50m         the hourly job
  elpis-maint run --max-share 0.9        the first run on a database that was never purged
  elpis-maint run --only compact         the purge is somebody else's
  elpis-maint run --format json          one event a line
  elpis-maint run --pandora /etc/pandora/pandora_server.conf
                                         all the housekeeping of a Pandora FMS installation
  elpis-maint run --pandora /etc/pandora/pandora_server.conf --only purge,check --background";

const DOCTOR_EXAMPLES: &str = "\
Changes nothing. Ends with 7 if something needs a hand; every finding comes with its remedy.

Examples:
  elpis-maint doctor --pandora /etc/pandora/pandora_server.conf
  elpis-maint doctor --pandora /etc/pandora/pandora_server.conf --format json | jq '.checks[] | select(.state != \"ok\")'";

const INSTALL_EXAMPLES: &str = "\
Examples:
  elpis-maint install --cron --pandora /etc/pandora/pandora_server.conf --disable-incumbent
  elpis-maint install --systemd-timer --pandora /etc/pandora/pandora_server.conf --root /mnt/image";

const VERIFY_EXAMPLES: &str = "\
For rules with `rollup = true` or `mode = \"mean\"`: of some series, the rows of each compacted bucket
are compared with count, sum, extremes and ends as they were. Every run compares charts before and
after by itself, with or without rollups.

Examples:
  elpis-maint verify
  elpis-maint verify --format json | jq .failures";

const HISTORY_EXAMPLES: &str = "\
Examples:
  elpis-maint history --limit 5
  elpis-maint history 12 --format json";

const DEMO_EXAMPLES: &str = "\
Examples:
  elpis-maint demo
  elpis-maint demo --keep /tmp/elpis --days 30
  elpis-maint --config /tmp/elpis/maint.toml plan";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  elpis-maint completions bash > /etc/bash_completion.d/elpis-maint";
