//! The same names in a build without feature `age`: nothing to encrypt to, and no keys.

use std::io::{self, Read, Seek, Write};
use std::marker::PhantomData;

use super::KeyError;

/// To whom archives are encrypted; needs feature `age`.
#[derive(Debug, Clone)]
pub enum Encryption {}

/// What opens encrypted archives; needs feature `age`.
#[derive(Debug, Default, Clone)]
pub struct Keys(());

#[derive(Debug)]
pub(crate) enum Sealer {}

pub(crate) struct Sealed<W>(Sealer, PhantomData<W>);

#[derive(Debug, Clone)]
pub(crate) enum Opened {}

impl Encryption {
    pub(crate) fn begin(&self) -> Result<(Sealer, Keys), KeyError> {
        match *self {}
    }
}

impl Keys {
    /// Opens only what is not encrypted.
    pub fn none() -> Keys {
        Keys::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    pub(crate) fn open(&self, _: impl Read) -> Result<Opened, KeyError> {
        Err(KeyError::NoMatch)
    }
}

impl Sealer {
    pub(crate) fn wrap<W: Write>(self, _: W) -> io::Result<Sealed<W>> {
        match self {}
    }
}

impl<W> Sealed<W> {
    pub(crate) fn finish(self) -> io::Result<W> {
        match self.0 {}
    }
}

impl<W> Write for Sealed<W> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

impl Opened {
    pub(crate) fn decrypt<'a>(
        &self,
        _: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        match *self {}
    }

    pub(crate) fn decrypt_from<'a>(
        &self,
        _: impl Read + Seek + Send + 'a,
        _: u64,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        match *self {}
    }
}
