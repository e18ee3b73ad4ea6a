//! Values of arguments.

use std::time::Duration;

use elpis_backup::archive::Container;
use elpis_backup::restore::Accept;

/// A difference that an operator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Between the databases.
    Database(Accept),
    /// Links that lead out of their tree.
    OutsideLinks,
}

/// The name of a difference.
pub(super) fn accepted(text: &str) -> Result<Accepted, String> {
    if text == "outside-links" {
        return Ok(Accepted::OutsideLinks);
    }
    let known =
        "schema, server, charset, replica, writers, space, non-atomic, views or outside-links";
    let accept: Result<Accept, _> = text.parse();
    accept
        .map(Accepted::Database)
        .map_err(|_| format!("must be one of {known}"))
}

/// What an archive is to be.
pub(super) fn container(text: &str) -> Result<Container, String> {
    let named = Container::ALL
        .into_iter()
        .find(|container| container.extension() == text);
    named.ok_or_else(|| "must be tar.gz or tar.zst".to_owned())
}

/// Bytes a second: digits, and perhaps K, M or G.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1_000),
        Some((at, 'M' | 'm')) => (&text[..at], 1_000_000),
        Some((at, 'G' | 'g')) => (&text[..at], 1_000_000_000),
        _ => (text, 1),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "not a number of bytes such as 20M".to_owned())?;
    match number.checked_mul(unit) {
        Some(rate) if rate >= 100_000 => Ok(rate),
        _ => Err("must be 100K or more".to_owned()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "not a duration such as 90m or 26h".to_owned())?;
    match Duration::try_from(span) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be longer than nothing".to_owned()),
    }
}
