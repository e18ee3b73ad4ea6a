//! Encrypting and decrypting streams.

use std::fmt;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use age::secrecy::{ExposeSecret, SecretString};
use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor, x25519};
use age_core::format::{FileKey, Stanza};

use super::KeyError;

/// The work factor of passphrases: 2^17 rounds take about half a second and 128 MiB.
const WORK_FACTOR: u8 = 17;
/// The most that an archive may ask of its reader: 2^20 rounds take some seconds and 1 GiB.
const MAX_WORK_FACTOR: u8 = 20;

/// To whom archives are encrypted.
#[derive(Clone)]
pub struct Encryption(pub(super) To);

#[derive(Clone)]
pub(super) enum To {
    Recipients(Vec<x25519::Recipient>),
    Passphrase(SecretString),
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            To::Recipients(recipients) => f.debug_tuple("Encryption").field(recipients).finish(),
            To::Passphrase(_) => f.write_str("Encryption(a passphrase)"),
        }
    }
}

/// What opens encrypted archives: identities and passphrases.
#[derive(Clone, Default)]
pub struct Keys(pub(super) Vec<Arc<dyn age::Identity + Send + Sync>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

/// Encrypts one archive.
pub(crate) struct Sealer(Encryptor);

/// A writer behind which everything is encrypted.
pub(crate) struct Sealed<W: Write>(StreamWriter<W>);

impl Encryption {
    /// Begins an archive. The keys are for reading it back: an archive for recipients gets one
    /// recipient more, whose identity exists only in this process and as long as the keys do.
    pub(crate) fn begin(&self) -> Result<(Sealer, Keys), KeyError> {
        let sealer = |recipients: Vec<&dyn age::Recipient>| {
            Encryptor::with_recipients(recipients.into_iter())
                .map(Sealer)
                .map_err(|error| KeyError::Header(error.to_string()))
        };
        match &self.0 {
            To::Recipients(recipients) => {
                let own = x25519::Identity::generate();
                let witness = own.to_public();
                let mut all: Vec<&dyn age::Recipient> = vec![&witness];
                all.extend(recipients.iter().map(|one| one as &dyn age::Recipient));
                Ok((sealer(all)?, Keys(vec![Arc::new(own)])))
            }
            To::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK_FACTOR);
                Ok((sealer(vec![&recipient])?, Keys::of_passphrase(passphrase)))
            }
        }
    }
}

impl Keys {
    /// Opens only what is not encrypted.
    pub fn none() -> Keys {
        Keys::default()
    }

    pub(super) fn of_passphrase(passphrase: &SecretString) -> Keys {
        let mut identity = age::scrypt::Identity::new(passphrase.clone());
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        Keys(vec![Arc::new(identity)])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the key of the archive that `input` begins with. With a passphrase that takes a
    /// while; what is found serves every later reader.
    pub(crate) fn open(&self, input: impl Read) -> Result<Opened, KeyError> {
        let found = std::sync::Mutex::new(None);
        let keys: Vec<Finding<'_>> = self
            .0
            .iter()
            .map(|key| Finding {
                key: key.as_ref(),
                found: &found,
            })
            .collect();
        let decryptor = Decryptor::new(input).map_err(refusal)?;
        decryptor
            .decrypt(keys.iter().map(|key| key as &dyn age::Identity))
            .map_err(refusal)?;
        let key = found
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        key.map(Opened).ok_or(KeyError::NoMatch)
    }
}

fn refusal(error: DecryptError) -> KeyError {
    match error {
        // A wrong passphrase looks like a damaged key.
        DecryptError::NoMatchingKeys
        | DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed => KeyError::NoMatch,
        DecryptError::ExcessiveWork { required, .. } => {
            KeyError::Header(format!("2^{required} rounds for a passphrase are too many"))
        }
        DecryptError::InvalidMac => KeyError::Header("its sum is wrong".to_owned()),
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => {
            KeyError::Header("it is damaged or of a later version".to_owned())
        }
        DecryptError::Io(error) => KeyError::Header(error.to_string()),
    }
}

/// Keeps a copy of the file key that an identity finds.
struct Finding<'a> {
    key: &'a (dyn age::Identity + Send + Sync),
    found: &'a std::sync::Mutex<Option<Arc<FileKey>>>,
}

impl age::Identity for Finding<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.keep(self.key.unwrap_stanza(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        self.keep(self.key.unwrap_stanzas(stanzas))
    }
}

impl Finding<'_> {
    fn keep(
        &self,
        found: Option<Result<FileKey, DecryptError>>,
    ) -> Option<Result<FileKey, DecryptError>> {
        if let Some(Ok(key)) = &found {
            let mut kept = self
                .found
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *kept = Some(Arc::new(copy(key)));
        }
        found
    }
}

fn copy(key: &FileKey) -> FileKey {
    FileKey::init_with_mut(|bytes| bytes.copy_from_slice(key.expose_secret()))
}

/// The key of one archive.
#[derive(Clone)]
pub(crate) struct Opened(Arc<FileKey>);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl age::Identity for Opened {
    /// The header's own sum tells whether the key belongs to it.
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        Some(Ok(copy(&self.0)))
    }
}

impl Opened {
    /// What is encrypted in `input`, which begins where the archive does.
    pub(crate) fn decrypt<'a>(
        &self,
        input: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(Box::new(self.reader(input)?))
    }

    /// The same from `at` bytes on, counted without the encryption.
    pub(crate) fn decrypt_from<'a>(
        &self,
        input: impl Read + Seek + Send + 'a,
        at: u64,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        let mut plain = self.reader(input)?;
        plain.seek(SeekFrom::Start(at))?;
        Ok(Box::new(plain))
    }

    fn reader<R: Read>(&self, input: R) -> io::Result<StreamReader<BufReader<R>>> {
        // Header lines are read in small pieces.
        let failed = |error: DecryptError| match error {
            DecryptError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        };
        Decryptor::new_buffered(BufReader::with_capacity(1 << 17, input))
            .and_then(|decryptor| decryptor.decrypt(std::iter::once(self as &dyn age::Identity)))
            .map_err(failed)
    }
}

impl Sealer {
    pub(crate) fn wrap<W: Write>(self, inner: W) -> io::Result<Sealed<W>> {
        self.0.wrap_output(inner).map(Sealed)
    }
}

impl<W: Write> Sealed<W> {
    /// Writes the last piece, without which the archive counts as cut off.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
