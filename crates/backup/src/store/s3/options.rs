//! Where a bucket is and how to get in.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use elpis_run::{FsError, Secret, fsx};

use crate::pacer::Pacer;
use crate::store::StoreError;

/// A place in a bucket: `s3://BUCKET/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Address {
    /// The bucket.
    pub bucket: String,
    /// What the keys of the archives begin with, before a slash; may be empty.
    pub prefix: String,
}

/// The key of an account.
#[derive(Debug, Clone)]
pub struct S3Access {
    /// Its public part.
    pub key_id: String,
    /// Its secret part.
    pub secret: Secret<String>,
    /// What temporary keys need besides.
    pub session_token: Option<Secret<String>>,
}

/// Where a bucket is and how to get in.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The place in the bucket.
    pub address: S3Address,
    /// Who asks.
    pub access: S3Access,
    /// Such as `https://s3.example.org:9000`; Amazon's own if nobody says. Without TLS only on
    /// loopback.
    pub endpoint: Option<String>,
    /// `us-east-1` by default, which most services that are not Amazon's ignore.
    pub region: String,
    /// Whether the bucket stands in the path of an address, or in the name of its host. The path
    /// is the default where there is an endpoint.
    pub path_style: bool,
    /// A PEM file with the authorities to trust, instead of this machine's.
    pub certificates: Option<PathBuf>,
    /// How long a request is repeated that fails for the moment: 3 minutes by default.
    pub patience: Duration,
    /// Whether what has arrived is read back before it counts: it is by default.
    pub read_back: bool,
    /// Bytes sent at once, of which there are three in memory: 8 MiB by default. At least 5 MiB;
    /// more where the service's 10,000 parts would not do.
    pub part_bytes: u64,
    /// How fast archives are sent, on average: parts then go one at a time, each as fast as the
    /// line is, with pauses between them. Without limit by default.
    pub pacer: Option<Pacer>,
}

impl S3Options {
    /// The defaults, at Amazon's.
    pub fn new(address: S3Address, access: S3Access) -> S3Options {
        S3Options {
            address,
            access,
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: false,
            certificates: None,
            patience: Duration::from_secs(180),
            read_back: true,
            part_bytes: 8 << 20,
            pacer: None,
        }
    }

    /// The same at another service, with the bucket in the path.
    pub fn at(self, endpoint: &str) -> S3Options {
        S3Options {
            endpoint: Some(endpoint.to_owned()),
            path_style: true,
            ..self
        }
    }
}

impl FromStr for S3Address {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<S3Address, StoreError> {
        let wrong = |why: &str| StoreError::Settings {
            what: text.to_owned(),
            why: why.to_owned(),
        };
        let place = text
            .strip_prefix("s3://")
            .ok_or_else(|| wrong("must be s3://BUCKET/PREFIX"))?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(wrong("names no bucket"));
        }
        let prefix = prefix.trim_end_matches('/');
        let is_plain = |part: &str| {
            !part.is_empty() && part.chars().all(plain) && !part.trim_matches('.').is_empty()
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_plain) {
            return Err(wrong("may have letters, digits, - . _ between its slashes"));
        }
        Ok(S3Address {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        match self.prefix.as_str() {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

impl S3Access {
    /// Reads a group of a credentials file, in the form that Amazon's own tools share: groups in
    /// brackets, in them `aws_access_key_id`, `aws_secret_access_key` and perhaps
    /// `aws_session_token`.
    ///
    /// # Errors
    /// When it cannot be read, others can read it, or the group lacks one of them.
    pub fn read(path: &Path, group: &str) -> Result<S3Access, StoreError> {
        let found = std::fs::metadata(path).map_err(|source| FsError::new("read", path, source))?;
        let wrong = |why: String| StoreError::Settings {
            what: path.display().to_string(),
            why,
        };
        if found.mode() & 0o077 != 0 {
            return Err(wrong(
                "is readable by others: set its mode to 0600".to_owned(),
            ));
        }
        let text = Secret::new(fsx::read_to_string(path)?);
        let value = |key: &str| find(text.expose(), group, key);
        let need = |key: &str| value(key).ok_or_else(|| wrong(format!("[{group}] has no {key}")));
        Ok(S3Access {
            key_id: need("aws_access_key_id")?.to_owned(),
            secret: Secret::new(need("aws_secret_access_key")?.to_owned()),
            session_token: value("aws_session_token").map(|token| Secret::new(token.to_owned())),
        })
    }
}

/// The value of `key` in a group, if it says anything.
fn find<'a>(text: &'a str, group: &str, key: &str) -> Option<&'a str> {
    let mut here = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            here = name.trim() == group;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| here)
            && name.trim() == key
            && !value.trim().is_empty()
        {
            return Some(value.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, bucket, prefix) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://my.bucket-1/site a", "", ""),
            ("s3://my.bucket-1/sites/a_b/", "my.bucket-1", "sites/a_b"),
            ("s3:///x", "", ""),
            ("s3://b/../x", "", ""),
            ("s3://b//x", "", ""),
            ("https://b/x", "", ""),
        ] {
            match text.parse::<S3Address>() {
                Err(error) => assert!(bucket.is_empty(), "{text}: {error}"),
                Ok(address) => {
                    assert_eq!(
                        (address.bucket.as_str(), address.prefix.as_str()),
                        (bucket, prefix)
                    );
                    assert_eq!(address.to_string(), text.trim_end_matches('/'));
                }
            }
        }
    }

    #[test]
    fn credentials_come_from_a_private_file_and_are_never_shown() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        let text = "[default]\naws_access_key_id = A\n# [x]\naws_secret_access_key= s=/+ \n[b]\n\
                    aws_access_key_id=B\naws_session_token=t\n";
        fsx::write_durable(&path, text.as_bytes(), 0o600).unwrap();
        let access = S3Access::read(&path, "default").unwrap();
        assert_eq!(
            (access.key_id.as_str(), access.secret.expose().as_str()),
            ("A", "s=/+")
        );
        assert!(access.session_token.is_none());
        assert!(!format!("{access:?}").contains("s=/+"));
        let error = S3Access::read(&path, "b").unwrap_err().to_string();
        assert!(
            error.ends_with("[b] has no aws_secret_access_key"),
            "{error}"
        );
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let error = S3Access::read(&path, "default").unwrap_err().to_string();
        assert!(error.contains("0600"), "{error}");
    }
}
