//! The two containers, and how a block becomes a frame of one.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::num::NonZero;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

/// The largest window a zstd frame may ask the reader for: 2^26 bytes are 64 MiB. Our own frames
/// ask for at most 8 MiB.
const MAX_WINDOW_LOG: u32 = 26;

/// What an archive is, by its first bytes and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Container {
    /// A tar in gzip members, as the old script wrote it; every `tar xzf` reads it.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// A tar in zstd frames: smaller and faster.
    #[serde(rename = "tar.zst")]
    TarZst,
}

impl Container {
    /// Both of them.
    pub const ALL: [Container; 2] = [Container::TarGz, Container::TarZst];

    /// What names of such archives end with, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Container::TarGz => "tar.gz",
            Container::TarZst => "tar.zst",
        }
    }

    /// The container whose first bytes these are.
    pub fn detect(start: &[u8]) -> Option<Container> {
        if start.starts_with(&[0x1f, 0x8b]) {
            Some(Container::TarGz)
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Some(Container::TarZst)
        } else {
            None
        }
    }

    /// How many bytes go into one frame: enough to compress well, few enough for many threads.
    pub(crate) fn block(self) -> usize {
        match self {
            Container::TarGz => 1 << 20,
            Container::TarZst => 4 << 20,
        }
    }

    /// Everything that the frames of `inner` hold. Its checksums are checked on the way.
    pub(crate) fn decoder<'a>(
        self,
        inner: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Container::TarGz => Box::new(MultiGzDecoder::new(BufReader::new(inner))),
            Container::TarZst => {
                let mut decoder = zstd::Decoder::new(inner)?;
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                Box::new(decoder)
            }
        })
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// Into what.
    pub container: Container,
    /// How hard: 1 to 9 for gzip, 1 to 19 for zstd; out of bounds means the nearest bound.
    pub level: i32,
    /// On how many threads.
    pub threads: NonZero<usize>,
}

impl Compression {
    /// The usual level of `container`: 3 for zstd, 4 for gzip, which costs about half of gzip's
    /// own 6.
    pub fn new(container: Container, threads: NonZero<usize>) -> Compression {
        let level = match container {
            Container::TarGz => 4,
            Container::TarZst => 3,
        };
        Compression {
            container,
            level,
            threads,
        }
    }

    /// A compressor for one thread.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn compressor(&self) -> io::Result<FrameCompressor> {
        Ok(match self.container {
            Container::TarGz => FrameCompressor::Gz(flate2::Compression::new(
                u32::try_from(self.level.clamp(1, 9)).unwrap_or(4),
            )),
            Container::TarZst => {
                let mut zstd = zstd::bulk::Compressor::new(self.level.clamp(1, 19))?;
                zstd.include_checksum(true)?;
                FrameCompressor::Zstd(zstd)
            }
        })
    }
}

/// Makes frames: each can be decompressed by itself, and together they are one stream.
#[expect(
    missing_debug_implementations,
    reason = "the compressor below has none"
)]
pub enum FrameCompressor {
    #[doc(hidden)]
    Gz(flate2::Compression),
    #[doc(hidden)]
    Zstd(zstd::bulk::Compressor<'static>),
}

impl FrameCompressor {
    /// One whole frame with a checksum of its own.
    ///
    /// # Errors
    /// When the compressor fails, which only a lack of memory can cause.
    pub fn frame(&mut self, raw: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            FrameCompressor::Gz(level) => {
                // Images and packages are packed already; zstd notices by itself.
                let level = match is_noise(raw)? {
                    true => flate2::Compression::none(),
                    false => *level,
                };
                gzip(raw, level)
            }
            FrameCompressor::Zstd(zstd) => zstd.compress(raw),
        }
    }
}

fn gzip(raw: &[u8], level: flate2::Compression) -> io::Result<Vec<u8>> {
    let out = Vec::with_capacity(raw.len() / 3 + 64);
    let mut encoder = GzEncoder::new(out, level);
    encoder.write_all(raw)?;
    encoder.finish()
}

/// How many samples of a block are tried, and how long each is.
const SAMPLES: usize = 8;
const SAMPLE: usize = 4 << 10;

/// Whether no sample of a block gets smaller. Deflating what cannot be deflated costs three times
/// as much as anything else.
fn is_noise(raw: &[u8]) -> io::Result<bool> {
    if raw.len() < 2 * SAMPLES * SAMPLE {
        return Ok(false);
    }
    for sample in raw.chunks(raw.len() / SAMPLES).take(SAMPLES) {
        let sample = &sample[..SAMPLE];
        if gzip(sample, flate2::Compression::fast())?.len() < SAMPLE {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_stored_and_a_little_order_is_packed() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut block: Vec<u8> = (0..1 << 20).map(|_| random.u8(..)).collect();
        let compression = Compression::new(Container::TarGz, NonZero::<usize>::MIN);
        let mut compressor = compression.compressor().unwrap();
        let mut round = |block: &[u8]| {
            let frame = compressor.frame(block).unwrap();
            let mut back = Vec::new();
            let mut decoder = Container::TarGz.decoder(&frame[..]).unwrap();
            decoder.read_to_end(&mut back).unwrap();
            assert!(back == block);
            frame.len()
        };
        let stored = round(&block);
        assert!((1 << 20..(1 << 20) + 1_000).contains(&stored), "{stored}");
        // An eighth of it is text.
        block[..1 << 17].fill(b'x');
        let packed = round(&block);
        assert!(packed < (1 << 20) - (1 << 16), "{packed}");
        assert!(round(b"short") < 60);
    }
}
