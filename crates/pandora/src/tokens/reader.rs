//! Looking up tokens, one after the other, remembering what was taken from where.

use std::time::Duration;

use elpis_run::Secret;

use super::catalogue::Spec;
use super::{Origin, Setting, TokenFinding, TokenRow, Tokens};

/// The longest retention that can be meant, in days; a hundred years, as in a policy file.
const MAX_DAYS: u64 = 36_500;
/// What −1 minutes of idle session stand for: ten years (pandora_db.pl).
const FOR_EVER: Duration = Duration::from_secs(315_576_000);
/// What 0 minutes of idle session stand for.
const USUAL_SESSION: Duration = Duration::from_secs(90 * 60);

pub(super) struct Reader<'a> {
    tokens: &'a Tokens,
    specs: &'static [Spec],
    pub(super) settings: Vec<Setting>,
    pub(super) findings: Vec<TokenFinding>,
}

/// A value and where it comes from.
struct Found {
    text: Secret<String>,
    origin: Origin,
}

/// Names compare as the table's collation compares them: without case, without blanks at the end.
fn is_named(row: &TokenRow, token: &str) -> bool {
    row.token.trim_end().eq_ignore_ascii_case(token)
}

impl<'a> Reader<'a> {
    pub(super) fn new(tokens: &'a Tokens, specs: &'static [Spec]) -> Reader<'a> {
        Reader {
            tokens,
            specs,
            settings: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Days; `None` if it is off.
    pub(super) fn days(&mut self, token: &str) -> Option<u32> {
        let days = self.number(token, MAX_DAYS, "is no number of days from 0 to 36500")?;
        u32::try_from(days).ok().filter(|days| *days > 0)
    }

    /// A whole number up to `most`; `None` if there is none.
    pub(super) fn number(&mut self, token: &str, most: u64, reason: &'static str) -> Option<u64> {
        let value = |text: &str| text.parse::<u64>().ok().filter(|number| *number <= most);
        let number = self.take(token, reason, value)?;
        self.show(token, (number > 0).then(|| number.to_string()));
        Some(number)
    }

    /// On if it is exactly `1`; `0` and nothing are off.
    pub(super) fn flag(&mut self, token: &str) -> bool {
        let value = |text: &str| match text {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        };
        let on = self.take(token, "is neither 0 nor 1", value) == Some(true);
        self.show(token, on.then(|| "yes".to_owned()));
        on
    }

    /// A text; `None` if it is empty.
    pub(super) fn text(&mut self, token: &str) -> Option<String> {
        let text = self.take(token, "", |text| Some(text.to_owned()))?;
        self.show(token, Some(text.clone()));
        Some(text)
    }

    /// A password, which is never shown.
    pub(super) fn password(&mut self, token: &str) -> Option<Secret<String>> {
        let text = self.take(token, "", |text| Some(Secret::new(text.to_owned())))?;
        self.show(token, Some("***".to_owned()));
        Some(text)
    }

    /// Minutes of idle session: 0 stands for 90, −1 for ten years.
    pub(super) fn session(&mut self, token: &str) -> Option<Duration> {
        let value = |text: &str| match text.parse::<i64>() {
            Ok(-1) => Some(FOR_EVER),
            Ok(0) => Some(USUAL_SESSION),
            Ok(minutes) => u64::try_from(minutes)
                .ok()
                .filter(|minutes| *minutes <= MAX_DAYS * 1440)
                .map(|minutes| Duration::from_secs(minutes * 60)),
            Err(_) => None,
        };
        let session = self.take(token, "is no number of minutes (or -1)", value)?;
        self.show(token, Some((session.as_secs() / 60).to_string()));
        Some(session)
    }

    /// Lists the overrides that nobody asked for.
    pub(super) fn unknown(&mut self) {
        let known = |token: &str| {
            let specs = self.specs.iter();
            let mut names = specs.map(|spec| spec.token);
            names.any(|name| name.eq_ignore_ascii_case(token))
        };
        let unknown = self.tokens.overrides.keys().filter(|token| !known(token));
        let findings = unknown.map(|token| TokenFinding::Unknown {
            token: token.clone(),
        });
        self.findings.extend(findings.collect::<Vec<_>>());
    }

    /// The token's value by `read`; what it cannot read is junk, for `reason`. The setting is
    /// listed as off, for [`Reader::show`] to say better.
    fn take<T>(
        &mut self,
        token: &str,
        reason: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let spec = self.specs.iter().find(|spec| spec.token == token);
        let found = self.find(token, spec.and_then(|spec| spec.default));
        self.settings.push(Setting {
            token: token.to_owned(),
            value: None,
            unit: spec.map_or("", |spec| spec.unit),
            origin: found
                .as_ref()
                .map_or(Origin::Default, |found| found.origin.clone()),
            meaning: spec.map_or("", |spec| spec.meaning),
        });
        let Found { text, origin } = found?;
        let text = text.expose().trim();
        if text.is_empty() {
            return None;
        }
        let value = read(text);
        if value.is_none() {
            self.findings.push(TokenFinding::Junk {
                token: token.to_owned(),
                value: text.chars().take(40).collect(),
                origin: origin.to_string(),
                reason,
            });
        }
        value
    }

    fn show(&mut self, token: &str, value: Option<String>) {
        if let Some(setting) = self.settings.last_mut().filter(|s| s.token == token) {
            setting.value = value;
        }
    }

    fn find(&mut self, token: &str, default: Option<&str>) -> Option<Found> {
        let overrides = self.tokens.overrides.iter();
        let mut named = overrides.filter(|(name, _)| name.eq_ignore_ascii_case(token));
        if let Some((_, text)) = named.next() {
            return Some(Found {
                text: Secret::new(text.clone()),
                origin: Origin::Override,
            });
        }
        let rows: Vec<&TokenRow> = self
            .tokens
            .rows
            .iter()
            .filter(|row| is_named(row, token))
            .collect();
        if let [taken, others @ ..] = rows.as_slice() {
            if !others.is_empty() {
                self.findings.push(TokenFinding::Duplicate {
                    token: token.to_owned(),
                    taken: taken.id,
                    others: others.iter().map(|row| row.id).collect(),
                });
            }
            // A row with NULL is read as no value, for which the default holds.
            if let Some(text) = &taken.value {
                return Some(Found {
                    text: text.clone(),
                    origin: Origin::Tconfig { row: taken.id },
                });
            }
        }
        default.map(|text| Found {
            text: Secret::new(text.to_owned()),
            origin: Origin::Default,
        })
    }
}
