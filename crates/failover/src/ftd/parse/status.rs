//! The status files that the installer and the readiness check write, old and new format.

use jiff::Timestamp;
use jiff::fmt::strtime;

/// What a line means for the job that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Running,
    Succeeded,
    Failed,
}

/// One line of a status file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusLine {
    /// The device's clock when it was written; the old format and unknown zones have none.
    pub at: Option<Timestamp>,
    /// 0 to 100. It may stand still for an hour, and it may go down.
    pub percent: Option<u8>,
    pub message: String,
    /// Minutes to the reboot, which only the old format tells.
    pub minutes_left: Option<u32>,
}

impl StatusLine {
    /// Reads one whole line; `None` for anything that is not a status line.
    pub(crate) fn read(line: &str) -> Option<StatusLine> {
        let line = line.trim();
        match line.strip_prefix("ui:") {
            Some(text) => old_format(text.trim()),
            None => new_format(line),
        }
    }

    /// What it means. Only words at 100 % are believed to be a success, and a script's name is
    /// never taken for a verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        let message = self.message.to_ascii_lowercase();
        let says = |word| message.contains(word);
        if message.starts_with("running script") {
            Verdict::Running
        } else if says("fail") || says("fatal") || says("abort") || says("unsuccessful") {
            Verdict::Failed
        } else if self.percent == Some(100) && says("success") {
            Verdict::Succeeded
        } else {
            Verdict::Running
        }
    }
}

/// The last status line in `text` that was written at `since` or later. A line without a closing
/// line feed is still being written and does not count; anything between status lines (garbage,
/// NULs, Perl warnings) does not either.
pub(crate) fn latest(text: &str, since: Option<Timestamp>) -> Option<StatusLine> {
    let whole = text
        .rfind('\n')
        .map(|end| text.get(..end).unwrap_or_default())?;
    whole
        .lines()
        .rev()
        .filter_map(StatusLine::read)
        .find(|line| match (line.at, since) {
            (Some(at), Some(since)) => at >= since,
            _ => true,
        })
}

/// `TIMESTAMP:Thu Jul 18 02:43:05 UTC 2024 PERCENT: 0% MESSAGE:Running script ...`
fn new_format(line: &str) -> Option<StatusLine> {
    let (stamp, rest) = line.strip_prefix("TIMESTAMP:")?.split_once("PERCENT:")?;
    let (percent, message) = rest.split_once("MESSAGE:")?;
    Some(StatusLine {
        at: timestamp(stamp.trim()),
        percent: Some(percent_of(percent.trim().strip_suffix('%')?)?),
        message: message.trim().to_owned(),
        minutes_left: None,
    })
}

/// `Upgrade in progress: ( 4% done.25 mins to reboot). Checking device readiness... (script)`
fn old_format(text: &str) -> Option<StatusLine> {
    let mut line = StatusLine {
        at: None,
        percent: None,
        message: text.to_owned(),
        minutes_left: None,
    };
    if let Some((_, rest)) = text.split_once('(')
        && let Some((percent, rest)) = rest.split_once("% done.")
        && let Some((minutes, message)) = rest.split_once(" mins to reboot)")
    {
        line.percent = Some(percent_of(percent.trim())?);
        line.minutes_left = minutes.trim().parse().ok();
        line.message = message.trim_start_matches(['.', ' ']).to_owned();
    } else if text.to_ascii_lowercase().contains("success") {
        line.percent = Some(100);
    }
    (!text.is_empty()).then_some(line)
}

fn percent_of(text: &str) -> Option<u8> {
    text.parse().ok().filter(|percent| *percent <= 100)
}

/// The zone is only understood where it is UTC: an abbreviation like `CST` has several meanings.
fn timestamp(text: &str) -> Option<Timestamp> {
    // Some lines of the guide have blanks after the colons of the time.
    let text = text.replace(": ", ":");
    let utc = text.replace(" UTC ", " +0000 ").replace(" GMT ", " +0000 ");
    strtime::parse("%a %b %d %H:%M:%S %z %Y", utc)
        .ok()?
        .to_timestamp()
        .ok()
}
