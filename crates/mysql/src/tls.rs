//! Encryption of TCP connections.

use std::path::PathBuf;

use mysql_async::{Error, IoError, SslOpts};

/// Whether a TCP connection is encrypted. A Unix socket never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain text.
    Off,
    /// Encrypted, or no connection at all.
    Required {
        /// The certificate authorities (PEM) that may have signed the server's certificate.
        /// Without a file, the built-in public ones if `verify_host` is set; otherwise the
        /// certificate is not checked and only listeners are kept out.
        ca: Option<PathBuf>,
        /// Whether the certificate must carry the host name that was connected to. With an
        /// authority it must carry some name in any case (a `subjectAltName`).
        verify_host: bool,
    },
}

impl Tls {
    pub(crate) fn to_driver(&self) -> Option<SslOpts> {
        let Self::Required { ca, verify_host } = self else {
            return None;
        };
        let options = SslOpts::default();
        Some(match ca {
            Some(ca) => options
                .with_root_certs(vec![ca.clone().into()])
                .with_disable_built_in_roots(true),
            None => options.with_danger_accept_invalid_certs(!verify_host),
        })
    }

    /// The name to expect instead, after a certificate was refused only for its name and any
    /// name will do.
    ///
    /// The driver has a switch for this, which has no effect with the rustls of today: it looks
    /// for a text that the error no longer has (mysql_async 0.37.1, rustls 0.23.46). Nothing has
    /// been sent to the server before the refusal, and the second try checks the chain again.
    pub(crate) fn other_name(&self, error: &Error) -> Option<String> {
        let Self::Required {
            ca: Some(_),
            verify_host: false,
        } = self
        else {
            return None;
        };
        match error {
            Error::Io(IoError::Io(error)) => first_name(&error.to_string()),
            Error::Io(IoError::Tls(error)) => first_name(&error.to_string()),
            _ => None,
        }
    }
}

/// `certificate not valid for name "x"; certificate is only valid for DnsName("y") or ...`
fn first_name(refusal: &str) -> Option<String> {
    let (_, names) = refusal.split_once("certificate is only valid for ")?;
    let (kind, rest) = names.split_once('(')?;
    let (name, _) = rest.split_once(')')?;
    match kind {
        "DnsName" => Some(name.trim_matches('"').replace('*', "any")),
        "IpAddress" => Some(name.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_refusal() {
        let refusal = |names: &str| {
            format!(
                "invalid peer certificate: certificate not valid for name \"x\"; \
                 certificate is {names}"
            )
        };
        for (names, first) in [
            ("only valid for DnsName(\"db\")", Some("db")),
            (
                "only valid for DnsName(\"*.d.e\") or DnsName(\"f\")",
                Some("any.d.e"),
            ),
            (
                "only valid for IpAddress(10.0.0.1), DnsName(\"f\") or x",
                Some("10.0.0.1"),
            ),
            ("only valid for DirectoryName", None),
            ("is not valid for any names", None),
        ] {
            assert_eq!(first_name(&refusal(names)).as_deref(), first, "{names}");
        }
        assert_eq!(first_name("UnknownIssuer"), None);
    }
}
