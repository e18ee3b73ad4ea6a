//! What can go wrong on a simulated pair.

use std::time::Duration;

use crate::observe::Unit;

/// One thing that goes wrong. Numbers in the text are those of the catalogue of failure modes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// 3. The unit answers a wrong password by hanging up, and says nothing.
    HangsUpOnWrongPassword(Unit),
    /// 4. The login ends at the prompt of a chassis.
    LandsInChassis(Unit),
    /// All prompts show this name, and in the diagnostic CLI part and state behind it; harmless.
    Named(Unit, String),
    /// 5. `expert` prints a notice first; harmless.
    ExpertNotice(Unit),
    /// 5. There is no `expert`.
    ExpertRefused(Unit),
    /// 6. `sudo` asks in other words.
    SudoQuestion(Unit, String),
    /// 6. `sudo` wants another password than the login.
    SudoPassword(Unit, String),
    /// 6. `sudo` answers a wrong password by ending the connection.
    SudoHangsUp(Unit),
    /// 6. The connection breaks once when `sudo` has the password, which it asks for anew.
    CutAtSudo(Unit),
    /// 7. Nobody answers.
    Unreachable(Unit),
    /// 9. The unit names a mate that is not the other one.
    StrangerForMate(Unit),
    /// 10. High availability is off.
    FailoverOff(Unit),
    /// 11 to 14, 64. The unit is in this state, for so long or for ever.
    State(Unit, String, Option<Duration>),
    /// 15, 68. The unit sees its peer in this state, for so long or for ever.
    SeesPeerAs(Unit, String, Option<Duration>),
    /// 16, 80. The unit's configuration is in this state, for so long or for ever.
    ConfigState(Unit, String, Option<Duration>),
    /// 18. A monitored interface is in this state.
    Interface(Unit, String),
    /// 19. The unit remembers a failure of its peer that is long over.
    OldFailure(Unit),
    /// 20. The manager has changes of the unit that are not deployed.
    ManagerPending(Unit),
    /// 20. The manager answers nothing but that it cannot.
    ManagerDown,
    /// 21. The manager runs this version.
    ManagerRuns(String),
    /// The manager refuses the next requests with these statuses, and asks for 45 seconds.
    ManagerRefuses(Vec<u16>),
    /// The manager's page of this name (the end of its path) says this; the last one counts.
    ManagerSays(String, serde_json::Value),
    /// The manager's tasks fail with these words.
    ManagerTaskFails(String),
    /// 80. After the unit's boot its configuration stays half synchronised.
    UnsyncedAfterBoot(Unit),
    /// 81. The manager goes on showing the old version, and wants to deploy.
    ManagerShowsOld,
    /// 22. The package is not there.
    PackageMissing(Unit),
    /// 23. The package has another size.
    PackageSize(Unit, u64),
    /// 23. The package is still being copied, for so long.
    PackageGrows(Unit, Duration),
    /// 24. The package has another content of the same size.
    PackageCorrupt(Unit),
    /// 25. The unit is another model.
    Model(Unit, String),
    /// 26 to 29. The unit runs another release.
    Runs(Unit, String),
    /// 30. `/ngfw` has only so many kibibytes free.
    FreeSpace(Unit, u64),
    /// 31. Somebody's installer already runs.
    InstallerRuns(Unit),
    /// 32. The unit's clock is ahead by so many seconds (behind, if negative).
    ClockSkew(Unit, i64),
    /// 37. The readiness check fails.
    ReadinessFails(Unit),
    /// 38. The readiness check stops in the middle.
    ReadinessHangs(Unit),
    /// 39. A success of last month stands in the status files, which are appended to.
    StaleSuccess(Unit),
    /// The status files hold so many bytes of last month's lines and are appended to.
    LongStatus(Unit, usize),
    /// The installer prints so many bytes on the terminal that it was started from.
    Chatter(Unit, usize),
    /// 41. The connection breaks while the readiness check runs.
    CutDuringReadiness(Unit),
    /// 42, 69. At the unit's n-th login (from 1) its peer has just failed over to it.
    TakesOverAtLogin(Unit, u32),
    /// 68. After the unit's reboot its peer does not see it any more.
    NotSeenAgain(Unit),
    /// 69. At the unit's n-th login (from 1) it falls into this state, for good.
    StateAtLogin(Unit, u32, String),
    /// 43. The connection breaks when the installation is ordered; the flag says whether it began.
    CutAtInstall(Unit, bool),
    /// 44. The connections break in the middle of the installation.
    CutDuringInstall(Unit),
    /// 45. The archive's check sums are wrong.
    ArchiveCorrupt(Unit),
    /// 46, 51, 78. A script ends the installation with these words.
    ScriptFails(Unit, String),
    /// 47. The percentage stands still for so long, then it goes on.
    Stands(Unit, Duration),
    /// 48. The percentage goes down and the status file is started anew.
    Rotates(Unit),
    /// 49. Garbage, NULs and half lines stand in the status file.
    Garbage(Unit),
    /// The status file is of the older format.
    OldStatusFormat(Unit),
    /// 52. The other unit dies for good while this one is being installed.
    PeerDies(Unit),
    /// 53. The other unit reboots by itself while this one is being installed.
    PeerReboots(Unit),
    /// 58. It does not come back.
    NeverBack(Unit),
    /// 59, 60. It comes back running this release.
    ComesBackAs(Unit, String),
    /// 61. It comes back with another host key.
    NewHostKey(Unit),
    /// 62. After the reboot the login works but CLISH takes so long to be ready.
    SlowClish(Unit, Duration),
    /// 63. After the reboot high availability is suspended, for so long or for ever.
    Suspended(Unit, Option<Duration>),
    /// 64. After the reboot it stays in this state.
    StuckIn(Unit, String),
    /// 65. The versions cannot pair.
    Incompatible(Unit),
    /// 66. The system below keeps its old version.
    OldSystem(Unit),
    /// 67. The installer says it is done, and the unit has not rebooted.
    NoReboot(Unit),
    /// 70. `failover active` is not understood.
    SwitchRefused(Unit),
    /// 71. The connection breaks when the switchover is ordered; the flag says whether it came.
    CutAtSwitch(Unit, bool),
    /// 72, 79. The switchover to the unit is accepted and does not happen.
    SwitchIgnored(Unit),
    /// 73. After the switchover to the unit both are active.
    BothActive(Unit),
    /// 74. So long after the switchover to the unit, the roles go back.
    FlapsBack(Unit, Duration),
    /// 77. After the switchover to the unit, its peer stays in this state.
    PeerStays(Unit, String),
    /// The unit takes passwords as answers to questions only, and asks these: in turn, each with
    /// whether it shows what is typed.
    AsksQuestions(Unit, Vec<(String, bool)>),
    /// The answer to the unit's n-th command (from 1) comes so much later, in real time.
    AnswersLate(Unit, u32, Duration),
    /// 82. Answers come page by page.
    Pager(Unit),
    /// 82. The answer to `show failover state` ends early, this many times.
    CutAnswer(Unit, u32),
    /// 83. Messages of the console stand between the lines.
    ConsoleNoise(Unit),
    /// 84. The password has expired.
    PasswordExpired(Unit),
    /// 85. The terminal echoes the password.
    EchoesPassword(Unit),
    /// 8 in reverse: at the n-th login the connection freezes after the first command.
    FreezesAtLogin(Unit, u32),
    /// The connection of the n-th login breaks after so many bytes of output.
    CutAtByte(Unit, u32, u64),
}
