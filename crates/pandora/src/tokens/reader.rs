//! Looking up tokens, one after the other, remembering what was taken from where.

use std::time::Duration;

use elpis_run::Secret;

use super::catalogue::{self, Spec};
use super::{Junk, Origin, Setting, TokenFinding, TokenRow, Tokens};

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
    /// Which of several rows for one token counts: the first, or the one that keeps the most.
    keeps_most: bool,
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

/// How much a row of the history database keeps. An age keeps the more the higher it is, and all
/// if it is off or unreadable; a length of buckets the more the shorter it is.
fn kept(row: &TokenRow, is_age: bool) -> u64 {
    let text = row.value.as_ref().map(|value| value.expose().trim());
    let number = text.and_then(|text| text.parse::<u64>().ok());
    match number.filter(|number| (1..=MAX_DAYS).contains(number)) {
        Some(number) if is_age => number,
        Some(number) => u64::MAX - number,
        None => u64::MAX,
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(tokens: &'a Tokens, specs: &'static [Spec]) -> Reader<'a> {
        Reader {
            tokens,
            specs,
            settings: Vec::new(),
            findings: Vec::new(),
            keeps_most: false,
        }
    }

    /// Of several rows for one token the one that keeps the most counts: where the product's tool
    /// takes whichever comes last, nobody can tell which one that is.
    pub(super) fn keeping_most(mut self) -> Reader<'a> {
        self.keeps_most = true;
        self
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

    /// A TCP port; an empty one is the default.
    pub(super) fn port(&mut self, token: &str) -> Option<u16> {
        let spec = self.specs.iter().find(|spec| spec.token == token);
        let default = spec.and_then(|spec| spec.default);
        let value = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let port = self.take_or(token, default, "is no port from 1 to 65535", value)?;
        self.show(token, Some(port.to_string()));
        Some(port)
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
        let of_history = |token: &str| {
            let mut names = catalogue::HISTORY.iter().map(|spec| spec.token);
            names.any(|name| name.eq_ignore_ascii_case(token))
        };
        let unknown = self.tokens.overrides.keys().filter(|token| !known(token));
        let findings = unknown.map(|token| match of_history(token) {
            true => TokenFinding::OfHistory {
                token: token.clone(),
            },
            false => TokenFinding::Unknown {
                token: token.clone(),
            },
        });
        self.findings.extend(findings.collect::<Vec<_>>());
    }

    /// Whether what the token says cannot be meant.
    pub(super) fn is_junk(&self, token: &str) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|found| matches!(found, TokenFinding::Junk(junk) if junk.token == token))
    }

    /// What is wrong with those of `tokens` decides nothing.
    pub(super) fn idle(&mut self, tokens: &[&str]) {
        for found in &mut self.findings {
            if let TokenFinding::Junk(junk) = found
                && tokens.contains(&junk.token.as_str())
            {
                *found = TokenFinding::Idle(junk.clone());
            }
        }
    }

    /// What is wrong with `tokens`, which is then no finding of its own any more.
    pub(super) fn take_junk(&mut self, tokens: &[&str]) -> Vec<String> {
        let is_meant = |found: &mut TokenFinding| matches!(found, TokenFinding::Junk(junk) if tokens.contains(&junk.token.as_str()));
        let taken = self.findings.extract_if(.., is_meant);
        let said = taken.filter_map(|found| match found {
            TokenFinding::Junk(junk) => Some(junk.to_string()),
            _ => None,
        });
        said.collect()
    }

    /// The token's value by `read`; what it cannot read is junk, for `reason`. The setting is
    /// listed as off, for [`Reader::show`] to say better.
    fn take<T>(
        &mut self,
        token: &str,
        reason: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.take_or(token, None, reason, read)
    }

    /// The same, with `empty` in place of an empty value.
    fn take_or<T>(
        &mut self,
        token: &str,
        empty: Option<&str>,
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
        let text = match text.expose().trim() {
            "" => {
                let default = empty?;
                if let Some(setting) = self.settings.last_mut() {
                    setting.origin = Origin::Default;
                }
                default
            }
            text => text,
        };
        let value = read(text);
        if value.is_none() {
            self.findings.push(TokenFinding::Junk(Junk {
                token: token.to_owned(),
                value: text.chars().take(40).collect(),
                origin: origin.to_string(),
                reason,
            }));
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
        let named = |row: &&TokenRow| is_named(row, token);
        let mut rows: Vec<&TokenRow> = self.tokens.rows.iter().filter(named).collect();
        if self.keeps_most {
            let spec = self.specs.iter().find(|spec| spec.token == token);
            let is_age = spec.is_some_and(|spec| spec.unit == "days");
            // Stable: of several that keep as much, the first.
            rows.sort_by_key(|row| std::cmp::Reverse(kept(row, is_age)));
        }
        if let [taken, others @ ..] = rows.as_slice() {
            if !others.is_empty() {
                let (token, taken) = (token.to_owned(), taken.id);
                let others = others.iter().map(|row| row.id).collect();
                self.findings.push(match self.keeps_most {
                    true => TokenFinding::Ambiguous {
                        token,
                        taken,
                        others,
                    },
                    false => TokenFinding::Duplicate {
                        token,
                        taken,
                        others,
                    },
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
