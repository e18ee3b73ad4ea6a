//! Everything that was typed to a unit and everything it showed, without the passwords.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use elpis_run::{FsError, Secret, fsx};

/// What stands in place of a password.
const REDACTED: &[u8] = b"***";

/// A file with the raw dialogue with one unit, or nothing if none is wanted.
pub(crate) struct Transcript {
    file: Option<File>,
    secrets: Vec<Secret<String>>,
    /// The end of the output so far, where a secret might have begun.
    held: Vec<u8>,
}

impl Transcript {
    /// Appends to the file at `path`, created with mode 0600 if need be, and takes `secrets` out.
    pub(crate) fn open(
        path: Option<&Path>,
        secrets: Vec<Secret<String>>,
    ) -> Result<Transcript, FsError> {
        Ok(Transcript {
            file: path
                .map(fsx::open_private)
                .transpose()?
                .map(to_end)
                .transpose()?,
            secrets,
            held: Vec::new(),
        })
    }

    /// Takes note of output. Its last bytes are written with the next ones: a secret may come in
    /// two pieces.
    pub(crate) fn shown(&mut self, bytes: &[u8]) {
        if self.file.is_none() {
            return;
        }
        self.held.extend_from_slice(bytes);
        self.redact();
        let longest = self.lengths().max().unwrap_or(0);
        let end = self.held.len().saturating_sub(longest.saturating_sub(1));
        let ready: Vec<u8> = self.held.drain(..end).collect();
        self.write(&ready);
    }

    /// Writes out what was held back, at the end of a dialogue.
    pub(crate) fn close(&mut self) {
        let rest = std::mem::take(&mut self.held);
        self.write(&rest);
    }

    fn redact(&mut self) {
        for secret in &self.secrets {
            self.held = replace_all(&self.held, secret.expose().as_bytes());
        }
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.secrets.iter().map(|secret| secret.expose().len())
    }

    /// A transcript that cannot be written must not stop an upgrade half-way.
    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            tracing::warn!(%error, "the transcript is not written any more");
            self.file = None;
        }
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        self.close();
    }
}

fn to_end(mut file: File) -> Result<File, FsError> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::End(0))
        .map_err(|source| FsError::new("seek", Path::new("the transcript"), source))?;
    Ok(file)
}

/// `text` without the secrets, for exhibits and error messages.
pub(crate) fn redacted(text: &str, secrets: &[Secret<String>]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        text = text.replace(secret.expose().as_str(), "***");
    }
    text
}

fn replace_all(bytes: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !secret.is_empty()
        && let Some(at) = rest
            .windows(secret.len())
            .position(|window| window == secret)
    {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(REDACTED);
        rest = from.get(secret.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However the output is cut into pieces, the password does not get into the file.
        #[test]
        fn a_secret_in_pieces_is_not_written(cuts in proptest::collection::vec(0usize..64, 0..6)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("unit-a.log");
            let secret = Secret::new(String::from("Sup3r-s3cret"));
            let text = b"Password: Sup3r-s3cret\r\nroot@fw:~# echo Sup3r-s3cretSup3r-s3cret\r\n";
            let mut transcript = Transcript::open(Some(&path), vec![secret]).unwrap();
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                transcript.shown(text.get(from..cut).unwrap());
                from = cut;
            }
            transcript.shown(text.get(from..).unwrap());
            drop(transcript);
            let written = fsx::read_to_string(&path).unwrap();
            prop_assert_eq!(written, "Password: ***\r\nroot@fw:~# echo ******\r\n");
        }
    }
}
