//! The command line of `elpis-failover`. Only clap: no logic, no defaults that depend on anything.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use elpis_failover::{Gate, Unit};

use crate::args::Manners;

/// Upgrade of a high-availability pair, one unit after the other: the standby first, then the
/// switchover, then the other one. It survives its own death at any point, and never ends worse
/// than "stopped and holding, the pair is serving".
#[derive(Debug, Parser)]
#[command(name = "elpis-failover", version, max_term_width = 100, after_help = MAIN_EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration [default: $ELPIS_FAILOVER_CONFIG, or /etc/elpis/failover.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) manners: Manners,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Look at both units, each with its view of itself and of its peer; change nothing
    Inspect,
    /// Say whether the pair could be upgraded now, and if not, why; change nothing
    Check(Word),
    /// Make a plan and show it; change nothing
    #[command(after_help = PLAN_EXAMPLES)]
    Plan {
        /// Write the plan into this file, for `apply`; one that is there is replaced
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Take an installation that somebody has begun by hand on the standby for the plan's own:
        /// it is watched, and the rest of the sequence follows
        #[arg(long)]
        adopt: bool,
        #[command(flatten)]
        word: Word,
    },
    /// Carry a plan out
    #[command(after_help = APPLY_EXAMPLES)]
    Apply {
        /// The file that `plan -o` wrote
        plan: PathBuf,
        #[command(flatten)]
        word: Word,
    },
    /// Go on with a run that holds or whose process died
    #[command(after_help = RESUME_EXAMPLES)]
    Resume {
        #[command(flatten)]
        run: Run,
        /// Begin of a maintenance window in place of the plan's, such as 2026-11-22T02:00
        #[arg(long, value_name = "TIME", requires_all = ["window_to", "window_zone"])]
        window_from: Option<String>,
        /// Its end
        #[arg(long, value_name = "TIME", requires = "window_from")]
        window_to: Option<String>,
        /// Its time zone, such as Asia/Seoul
        #[arg(long, value_name = "ZONE", requires = "window_from")]
        window_zone: Option<String>,
        /// Take an installation that somebody has begun by hand on the unit whose turn it is for
        /// the run's own
        #[arg(long)]
        adopt: bool,
        /// Go on by the plan although the configuration was edited since it was made; the edit
        /// goes to the journal
        #[arg(long)]
        as_planned: bool,
        #[command(flatten)]
        word: Word,
    },
    /// Agree to a gate at which a run holds
    Approve {
        /// The gate that the hold names: first_install, switchover, second_install or switch_back
        #[arg(value_parser = gate)]
        gate: Gate,
        #[command(flatten)]
        run: Run,
        /// Who agrees, for the record
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Ask a run that is at work, also on another terminal, to hold after its present step
    Pause {
        #[command(flatten)]
        run: Run,
        /// Who asks, for the record
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Undo the last switchover of a run that holds, while that is possible, and close the run
    Rollback(Run),
    /// Give a run up and close it; nothing is sent to the pair
    Abort(Run),
    /// Show where a run stands
    Status {
        #[command(flatten)]
        run: Run,
        /// Go on showing what happens until it ends or holds
        #[arg(long)]
        follow: bool,
    },
    /// Write the document for the change record
    #[command(after_help = EVIDENCE_EXAMPLES)]
    Evidence {
        #[command(flatten)]
        run: Run,
        /// The file, which is replaced if it is there; a name that ends in .html gets HTML, any
        /// other Markdown [default: Markdown to standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show a unit's host key, and record it once you have compared it with the console
    #[command(after_help = TRUST_EXAMPLES)]
    Trust {
        /// a or b
        #[arg(value_parser = unit)]
        unit: Unit,
        /// The fingerprint from the unit's console; only this very key is recorded
        #[arg(long, value_name = "SHA256:...")]
        fingerprint: Option<String>,
    },
    /// Ask the pair's manager (FMC), or let it prepare both units
    #[command(after_help = MANAGER_EXAMPLES)]
    Manager {
        /// What
        #[command(subcommand)]
        errand: ManagerErrand,
    },
    /// Carry the configuration's policy out on a simulated pair, with faults of choice
    #[command(after_help = REHEARSE_EXAMPLES)]
    Rehearse {
        /// What goes wrong: a fault and its unit, or a case of the catalogue such as
        /// 43-connection-lost-installing; `--fault list` shows all
        #[arg(long = "fault", value_name = "NAME:UNIT|CASE")]
        faults: Vec<String>,
        /// The version that both simulated units run at first
        #[arg(long, value_name = "VERSION", default_value = "7.2.2-54")]
        from: String,
        /// Write the document for the change record into this file; one that is there is replaced
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Upgrade a simulated pair of its own, in some seconds
    Demo {
        /// Write the document for the change record into this file; one that is there is replaced
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual page
    Man,
}

/// What nobody but a person can tell without a manager.
#[derive(Debug, Default, Args)]
pub(crate) struct Word {
    /// Where no manager is configured: who has just checked there that no deployment is pending;
    /// it goes to the journal
    #[arg(long, value_name = "NAME")]
    pub(crate) no_pending_deployment: Option<String>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ManagerErrand {
    /// Its version, what it has not deployed, the versions it shows; changes nothing
    Show,
    /// Copy the policy's package, which must have been uploaded to it, to both units
    Copy,
    /// Run the readiness check of the policy's package on both units
    Readiness,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The run's number [default: the newest of this pair]
    #[arg(long = "run", value_name = "N")]
    pub(crate) number: Option<i64>,
}

fn gate(text: &str) -> Result<Gate, String> {
    let all = [
        Gate::FirstInstall,
        Gate::Switchover,
        Gate::SecondInstall,
        Gate::SwitchBack,
    ];
    let wanted = text.replace('-', "_");
    all.into_iter()
        .find(|gate| gate.name() == wanted)
        .ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|gate| gate.name()).collect();
            format!("the gates are {}", names.join(", "))
        })
}

fn unit(text: &str) -> Result<Unit, String> {
    match text {
        "a" | "A" => Ok(Unit::A),
        "b" | "B" => Ok(Unit::B),
        _ => Err("the units are a and b".to_owned()),
    }
}

const MAIN_EXAMPLES: &str = "\
Examples:
  elpis-failover demo                      a whole upgrade on a simulated pair
  elpis-failover inspect                   what both units say of themselves and each other
  elpis-failover plan -o edge.plan         what would be done, step by step
  elpis-failover rehearse --fault never-back:b
  elpis-failover apply edge.plan
  elpis-failover evidence -o change-4711.html

The first Ctrl-C stops after the present step, the second leaves at once; neither reaches a unit.

Exit codes: 0 done, 2 configuration, 3 refused and nothing touched, 4 holding and serving,
5 needs a person now, 6 another run at work, 7 done with warnings, 8 a unit or the manager
unreachable and nothing touched, 130 interrupted.";

const PLAN_EXAMPLES: &str = "\
Examples:
  elpis-failover plan
  elpis-failover plan -o edge.plan && elpis-failover apply edge.plan
  elpis-failover plan --adopt -o edge.plan   support has begun the installation by hand";

const APPLY_EXAMPLES: &str = "\
Examples:
  elpis-failover apply edge.plan
  elpis-failover apply edge.plan --format json >> events.jsonl";

const RESUME_EXAMPLES: &str = "\
Examples:
  elpis-failover resume
  elpis-failover resume --adopt
  elpis-failover resume --run 12 --window-from 2026-11-23T02:00 --window-to 2026-11-23T05:00 \\
      --window-zone Asia/Seoul";

const MANAGER_EXAMPLES: &str = "\
Examples:
  elpis-failover manager show
  elpis-failover manager copy && elpis-failover plan -o edge.plan";

const EVIDENCE_EXAMPLES: &str = "\
Examples:
  elpis-failover evidence -o change-4711.html
  elpis-failover evidence --run 12 > change-4711.md";

const TRUST_EXAMPLES: &str = "\
Examples:
  elpis-failover trust a
  elpis-failover trust a --fingerprint SHA256:n0p...";

const REHEARSE_EXAMPLES: &str = "\
Examples:
  elpis-failover rehearse
  elpis-failover rehearse --fault readiness-fails:b
  elpis-failover rehearse --fault 43-connection-lost-installing
  elpis-failover rehearse --fault list";
