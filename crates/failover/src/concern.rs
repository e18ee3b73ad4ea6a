//! Why a run waits, refuses or holds: one list of causes, each with its next step.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The complete list of causes for which a run may refuse to begin or hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// A unit does not answer.
    Unreachable,
    /// A unit must not be used: host key, login.
    Rejected,
    /// A unit's answer was not understood.
    NotUnderstood,
    /// The two addresses are not the two units of the planned pair.
    OtherUnits,
    /// Another unit is active than the step needs.
    Roles,
    /// The standby is not ready to take over.
    StandbyNotReady,
    /// The standby reports a failure, or high availability is off.
    StandbyFailed,
    /// Both units say that they are active.
    SplitBrain,
    /// No unit is active.
    NoActive,
    /// The units contradict each other.
    Disagree,
    /// Configuration is being synchronised, or its state is unknown.
    Sync,
    /// A unit runs a version that the step does not expect.
    WrongVersion,
    /// The units' versions cannot pair.
    Incompatible,
    /// The installer says it is done, but the unit has not rebooted.
    NotRebooted,
    /// A fault on the unit that shall take over.
    Faults,
    /// Another job runs on a unit.
    Busy,
    /// The package is missing, still being copied, not the same on both units, or not the right
    /// one.
    Package,
    /// The driver's survey found an obstacle.
    Survey,
    /// The facts are no longer those that the plan was made from.
    Stale,
    /// Outside the maintenance window, or too near to its end.
    Window,
    /// No verified backup is young enough.
    SafetyCopy,
    /// A hook refused, failed or took too long.
    Hook,
    /// A person has to agree first.
    Approval,
    /// The operator asked to stop.
    Stopped,
    /// The last switchover was too short a time ago.
    AntiFlap,
    /// An act could not be started, certainly.
    NotStarted,
    /// The product says that the act failed.
    ActFailed,
    /// No sign of life for too long.
    Stalled,
    /// It took too long.
    TimedOut,
    /// It is not known whether an act was started.
    OutcomeUnknown,
    /// A switchover was undone.
    Undone,
}

impl Cause {
    /// What the operator does next. One sentence or two; the run's number is added by whoever
    /// prints it.
    pub fn next_step(self) -> &'static str {
        match self {
            Cause::Unreachable => "Look at the unit through its console; resume when it answers.",
            Cause::Rejected => {
                "Settle the login (trust the new host key after comparing its fingerprint, or \
                 correct the password), then resume."
            }
            Cause::NotUnderstood => {
                "Read the recorded output and the unit itself; resume when it is in a state \
                 that the inspection names."
            }
            Cause::OtherUnits => "Correct the two addresses and make a new plan.",
            Cause::Roles => {
                "Find out from the units' history why the roles changed. Resume when the planned \
                 unit is active again, or abort and make a new plan from the roles as they are."
            }
            Cause::StandbyNotReady => "Wait until the standby is ready, then resume.",
            Cause::StandbyFailed => {
                "Read the standby's failover history, cure it and bring high availability back, \
                 then resume."
            }
            Cause::SplitBrain => {
                "Urgent: check the failover link and decide by hand which unit stays active. \
                 This tool does not choose. Resume or abort afterwards."
            }
            Cause::NoActive => "Urgent: make one unit active by hand. Resume or abort afterwards.",
            Cause::Disagree => "Check the failover link; resume when both units agree.",
            Cause::Sync => {
                "Wait until the configuration is synchronised; with a synchronisation that does \
                 not end, ask the vendor's support. Then resume."
            }
            Cause::WrongVersion => {
                "The unit runs another version than expected. Read its upgrade log; then abort, \
                 and make a new plan if the installation shall be tried again."
            }
            Cause::Incompatible => {
                "The two versions cannot form a pair. Ask the vendor's support which version to \
                 take; the active unit keeps serving."
            }
            Cause::NotRebooted => {
                "The unit says that it is done but has not rebooted. Read its upgrade log before \
                 anything else; resume afterwards."
            }
            Cause::Faults => {
                "Cure the fault on the standby, or accept it in the policy and make a new plan; \
                 then resume."
            }
            Cause::Busy => "Let the other job end, then resume or make a new plan.",
            Cause::Package => "Copy the same, complete package to both units, then try again.",
            Cause::Survey => "Clear what the survey names, then try again.",
            Cause::Stale => "Make a new plan.",
            Cause::Window => "Resume within the maintenance window, or name another one.",
            Cause::SafetyCopy => "Make and verify a backup, then try again.",
            Cause::Hook => "Read what the hook said, cure it, then resume.",
            Cause::Approval => "Approve the gate, then resume.",
            Cause::Stopped => "Resume when you are ready, or abort.",
            Cause::AntiFlap => "Resume later; the pair has switched only just now.",
            Cause::NotStarted => "Nothing was started. Read the reason, cure it, then resume.",
            Cause::ActFailed => {
                "Read the product's log and ask the vendor's support; never reboot the unit by \
                 yourself in between. Resume tries again, abort leaves the pair as it is."
            }
            Cause::Stalled | Cause::TimedOut => {
                "It may still be going on. Look at the unit without rebooting it; resume goes on \
                 watching."
            }
            Cause::OutcomeUnknown => {
                "Find out on the unit whether the command arrived. Resume looks again; nothing is \
                 sent twice blindly."
            }
            Cause::Undone => {
                "Traffic is back where it was; one unit is upgraded. Find out why the probe \
                 failed and make a new plan, which begins with the switchover."
            }
        }
    }
}

impl Cause {
    /// The same where a run was refused and nothing was touched: there is nothing to resume, what
    /// comes next is a new plan.
    pub fn before_planning(self) -> &'static str {
        match self {
            Cause::Unreachable => "Look at the unit through its console; plan when it answers.",
            Cause::Rejected => {
                "Settle the login (trust the host key after comparing its fingerprint, or correct \
                 the password; never try it again unchanged), then plan."
            }
            Cause::NotUnderstood => {
                "Read the recorded output and the unit itself; plan when it is in a state that \
                 the inspection names."
            }
            Cause::OtherUnits => "Correct the two addresses, then plan.",
            Cause::Roles | Cause::WrongVersion | Cause::Stale => "Make a new plan.",
            Cause::StandbyNotReady => "Wait until the standby is ready, then plan.",
            Cause::StandbyFailed => {
                "Read the standby's failover history, cure it and bring high availability back, \
                 then plan."
            }
            Cause::SplitBrain => {
                "Urgent: check the failover link and decide by hand which unit stays active. \
                 This tool does not choose."
            }
            Cause::NoActive => "Urgent: make one unit active by hand.",
            Cause::Disagree => "Check the failover link; plan when both units agree.",
            Cause::Sync => {
                "Wait until the configuration is synchronised; with a synchronisation that does \
                 not end, ask the vendor's support. Then plan."
            }
            Cause::Faults => {
                "Cure the fault on the standby, or accept it in the policy, then plan."
            }
            Cause::Busy => {
                "Let the other job end; or, if it is the target's installation on the standby, \
                 plan to adopt it."
            }
            Cause::Package => "Copy the same, complete package to both units, then plan.",
            Cause::Survey => "Clear what the survey names, then plan.",
            Cause::Window => {
                "Plan with a maintenance window that is long enough and still to come."
            }
            Cause::SafetyCopy => "Make and verify a backup, then plan.",
            Cause::Hook => "Read what the hook said, cure it, then plan.",
            Cause::AntiFlap => "Try again later; the pair has switched only just now.",
            Cause::ActFailed => {
                "Read the end of the product's log in the change record and open a case with the \
                 vendor's support; plan when they have cured it."
            }
            Cause::Incompatible
            | Cause::NotRebooted
            | Cause::Stalled
            | Cause::TimedOut
            | Cause::OutcomeUnknown
            | Cause::Undone => self.next_step(),
            Cause::NotStarted | Cause::Approval | Cause::Stopped => {
                "Read the reason, cure it, then plan."
            }
        }
    }
}

impl fmt::Display for Cause {
    /// The stable word that JSON uses, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A cause and its particulars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// Which of the known causes.
    pub cause: Cause,
    /// What exactly, one line.
    pub text: String,
}

impl Concern {
    /// A concern.
    pub fn new(cause: Cause, text: impl Into<String>) -> Concern {
        Concern {
            cause,
            text: text.into(),
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
