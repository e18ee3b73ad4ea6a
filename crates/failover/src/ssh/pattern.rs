//! How a line of known_hosts names its hosts: patterns, negations, ports and hashes.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Whether the comma-separated `field` names `host`, which is lower case and carries `[...]:port`
/// unless the port is 22. A negated pattern that matches wins over everything.
pub(crate) fn names(field: &str, host: &str) -> bool {
    let mut named = false;
    for pattern in field.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if glob(&negated.to_lowercase(), host) => return false,
            Some(_) => {}
            None if pattern.starts_with("|1|") => named |= is_hash_of(pattern, host),
            None => named |= glob(&pattern.to_lowercase(), host),
        }
    }
    named
}

/// `*` for any characters, `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(sign) if *sign == b'?' || text.get(t) == Some(sign) => {
                p += 1;
                t += 1;
            }
            // The last star takes one character more.
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|sign| *sign == b'*')
}

/// `|1|salt|hash`: HMAC-SHA1 of the name, both in Base64.
fn is_hash_of(pattern: &str, host: &str) -> bool {
    let mut parts = pattern.split('|').skip(2);
    let decoded = |part: Option<&str>| part.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let (Some(salt), Some(hash), None) =
        (decoded(parts.next()), decoded(parts.next()), parts.next())
    else {
        return false;
    };
    Hmac::<Sha1>::new_from_slice(&salt)
        .is_ok_and(|hmac| hmac.chain_update(host).verify_slice(&hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_openssh() {
        for (field, host, expected) in [
            ("fw1", "fw1", true),
            ("FW1", "fw1", true),
            ("fw1", "fw11", false),
            ("fw?", "fw1", true),
            ("fw?", "fw", false),
            ("10.0.*", "10.0.0.1", true),
            ("*.example.org,!bad.example.org", "fw1.example.org", true),
            ("*.example.org,!bad.example.org", "bad.example.org", false),
            ("!bad.example.org,*.example.org", "bad.example.org", false),
            ("!fw1", "fw2", false),
            ("[fw1]:2222", "[fw1]:2222", true),
            ("[fw1]:2222", "fw1", false),
            ("fw1", "[fw1]:2222", false),
            ("[fw*]:2222", "[fw1]:2222", true),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
        ] {
            assert_eq!(names(field, host), expected, "{field} {host}");
        }
    }

    #[test]
    fn a_hash_made_by_ssh_keygen_matches_its_host_only() {
        // ssh-keygen -H of OpenSSH 9.2 on the name "fw1.example.org".
        let field = HASHED;
        assert!(names(field, "fw1.example.org"));
        assert!(!names(field, "fw2.example.org"));
        assert!(!names("|1|AAAA|AAAA", "fw1.example.org"));
        assert!(!names("|1|not base64|x", "fw1.example.org"));
    }

    const HASHED: &str = "|1|NuNm4RW8zYrppvVLqI+Zn1R26yI=|4eSDZV/zrCVDDeS/50vPoXEqO90=";
}
