//! The device's words, from transcript files that say where each comes from. The driver shares
//! none of them.

macro_rules! transcript {
    ($name:literal) => {
        include_str!(concat!("transcripts/", $name, ".txt"))
    };
}

pub(super) const BANNER: &str = transcript!("banner");
pub(super) const LAST_LOGIN: &str = transcript!("last-login");
pub(super) const EXPERT_NOTICE: &str = transcript!("expert-notice");
pub(super) const LECTURE: &str = transcript!("lecture");
pub(super) const DIAGNOSTIC_CLI: &str = transcript!("diagnostic-cli");
pub(super) const VERSION: &str = transcript!("version");
pub(super) const FAILOVER: &str = transcript!("failover");
pub(super) const FAILOVER_OFF: &str = transcript!("failover-off");
pub(super) const FAILOVER_STATE: &str = transcript!("failover-state");
pub(super) const HISTORY: &str = transcript!("history");
pub(super) const READINESS: &str = transcript!("readiness");
pub(super) const READINESS_SCRIPTS: &str = transcript!("readiness-scripts");
pub(super) const INSTALL: &str = transcript!("install");
pub(super) const INSTALL_BEGINS: &str = transcript!("install-begins");
pub(super) const INSTALL_CORRUPT: &str = transcript!("install-corrupt");
pub(super) const INSTALL_SCRIPTS: &str = transcript!("install-scripts");
const MESSAGES: &str = transcript!("messages");

/// The text of a transcript without the lines that say where it comes from.
pub(super) fn body(transcript: &str) -> String {
    transcript
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("#: "))
        .collect()
}

/// The body with `{key}` replaced by its value.
pub(super) fn fill(transcript: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(body(transcript), |text, (key, value)| {
        text.replace(&format!("{{{key}}}"), value)
    })
}

/// One of the short messages.
pub(super) fn message(key: &str) -> &'static str {
    MESSAGES
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(_, rest)| rest))
        .find_map(|rest| {
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            (name == key).then_some(text)
        })
        .unwrap_or_default()
}

/// The lines of a table of scripts, as words.
pub(super) fn table(transcript: &str) -> Vec<Vec<String>> {
    body(transcript)
        .lines()
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect()
}
