//! Names of databases and tables that a restore makes.

use jiff::Timestamp;

/// What names of a restore's own tables begin with.
pub(super) const OWN_PREFIX: &str = "elpis_restore_";

/// The longest name that a server takes, in characters.
const LONGEST: usize = 64;

/// What sets the databases of one restore apart from those of another: its millisecond, short.
pub(super) fn tag(now: Timestamp) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let mut tag = Vec::new();
    while rest > 0 || tag.is_empty() {
        tag.push(DIGITS[(rest % 36) as usize]);
        rest /= 36;
    }
    tag.reverse();
    String::from_utf8_lossy(&tag).into_owned()
}

/// The name of a database beside `live`: cut at its end if it would be too long.
pub(super) fn beside(live: &str, role: &str, tag: &str) -> String {
    let end = format!("__elpis_{role}_{tag}");
    let room = LONGEST.saturating_sub(end.chars().count());
    let start: String = live.chars().take(room).collect();
    start + &end
}

/// What the names of all databases beside `live` begin with that have this role.
pub(super) fn start_of(live: &str, role: &str) -> String {
    const TAG: &str = "00000000";
    let name = beside(live, role, TAG);
    name.strip_suffix(TAG).unwrap_or(&name).to_owned()
}

/// The server-wide lock of restores of `live`.
pub(super) fn lock(live: &str) -> String {
    let name = format!("elpis-restore:{live}");
    if name.chars().count() <= LONGEST {
        return name;
    }
    let sum = blake3::hash(live.as_bytes()).to_hex();
    format!("elpis-restore:{}", &sum.as_str()[..40])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_are_and_are_never_too_long() {
        let tag = tag("2026-11-21T19:00:00Z".parse().unwrap());
        assert_eq!(tag, "mwqrvts0");
        assert_eq!(
            beside("pandora", "old", &tag),
            "pandora__elpis_old_mwqrvts0"
        );
        let long = "ü".repeat(64);
        for role in ["restore", "old", "new"] {
            assert!(beside(&long, role, &tag).chars().count() <= 64);
        }
        assert!(beside(&long, "rest", &tag).starts_with(&start_of(&long, "rest")));
        assert!(lock(&long).chars().count() <= 64);
        assert_ne!(lock(&long), lock(&long[2..]));
    }
}
