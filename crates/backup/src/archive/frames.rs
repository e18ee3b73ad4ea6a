//! A stream cut into blocks that are compressed on several threads and written in order, and into
//! which frames that exist already are spliced as they are.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use super::container::Compression;
use crate::crypt::{Opened, Sealed, Sealer};

/// What has come out in the end.
#[derive(Debug)]
pub(crate) struct Written {
    /// Compressed bytes.
    pub(crate) bytes: u64,
    /// Their SHA-256.
    pub(crate) sha256: [u8; 32],
    /// The file, for its owner to sync and publish.
    pub(crate) file: File,
}

/// Blocks on their way to a compressor: what to compress, and where to send the frame.
type Job = (Vec<u8>, Sender<io::Result<Vec<u8>>>);

/// What the writer thread takes, in the order of the stream.
enum Piece {
    Frame(Receiver<io::Result<Vec<u8>>>),
    Splice(Frames),
    /// Asks how many bytes of frames stand before it.
    Position(Sender<u64>),
}

/// Whole frames that lie in a file.
pub(crate) struct Frames {
    bytes: io::Take<Box<dyn Read + Send>>,
}

impl Frames {
    /// The `length` bytes from `at` on in a file.
    pub(crate) fn of(file: Arc<File>, at: u64, length: u64) -> Frames {
        Frames::read_from(Box::new(FileFrom { file, at }), length)
    }

    /// The same in what a file holds encrypted.
    pub(crate) fn sealed(
        file: Arc<File>,
        key: &Opened,
        at: u64,
        length: u64,
    ) -> io::Result<Frames> {
        let bytes = key.decrypt_from(FileFrom { file, at: 0 }, at)?;
        Ok(Frames::read_from(bytes, length))
    }

    fn read_from(bytes: Box<dyn Read + Send>, length: u64) -> Frames {
        Frames {
            bytes: bytes.take(length),
        }
    }
}

impl Read for Frames {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

/// A reader with a place of its own in a shared file.
struct FileFrom {
    file: Arc<File>,
    at: u64,
}

impl Read for FileFrom {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(into, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

impl Seek for FileFrom {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Where in the stream of frames something begins, as soon as it has been written so far.
pub(crate) struct Position(Receiver<u64>);

impl Position {
    /// Waits for it; `None` if the writer has given up, which its owner learns at the end.
    pub(crate) fn get(self) -> Option<u64> {
        self.0.recv().ok()
    }
}

/// Compresses and writes what is written to it. Memory: three blocks a thread.
pub(crate) struct FrameWriter {
    buffer: Vec<u8>,
    block: usize,
    jobs: Option<SyncSender<Job>>,
    pieces: Option<SyncSender<Piece>>,
    workers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<io::Result<Written>>>,
}

impl FrameWriter {
    /// Writes to `file`, encrypted if there is a `sealer`.
    pub(crate) fn new(
        file: File,
        compression: &Compression,
        sealer: Option<Sealer>,
    ) -> io::Result<FrameWriter> {
        let threads = compression.threads.get();
        let (jobs, queue) = sync_channel::<Job>(threads);
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (queue, mut compressor) = (Arc::clone(&queue), compression.compressor()?);
            workers.push(std::thread::spawn(move || {
                loop {
                    // One waits in `recv` with the lock, the others for the lock: all the same.
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((raw, answer)) = job else { return };
                    // The writer may have given up; then nobody wants the frame.
                    let _ = answer.send(compressor.frame(&raw));
                }
            }));
        }
        let (pieces, ordered) = sync_channel(2 * threads);
        let writer = std::thread::spawn(move || write(file, sealer, &ordered));
        Ok(FrameWriter {
            buffer: Vec::new(),
            block: compression.container.block(),
            jobs: Some(jobs),
            pieces: Some(pieces),
            workers,
            writer: Some(writer),
        })
    }

    /// Puts `frames` into the stream as they are.
    pub(crate) fn splice(&mut self, frames: Frames) -> io::Result<()> {
        self.end_block()?;
        self.send(Piece::Splice(frames))
    }

    /// Where the next frame will begin; encryption adds to that.
    pub(crate) fn position(&mut self) -> io::Result<Position> {
        self.end_block()?;
        let (answer, position) = channel();
        self.send(Piece::Position(answer))?;
        Ok(Position(position))
    }

    /// Compresses what is left and waits until everything is written.
    pub(crate) fn finish(mut self) -> io::Result<Written> {
        self.end_block()?;
        self.close()
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.buffer);
        let (answer, frame) = channel();
        let lost = match &self.jobs {
            Some(jobs) => jobs.send((raw, answer)).is_err(),
            None => true,
        };
        if lost {
            return Err(io::Error::other("the compressor threads are gone"));
        }
        self.send(Piece::Frame(frame))
    }

    fn send(&mut self, piece: Piece) -> io::Result<()> {
        let taken = self
            .pieces
            .as_ref()
            .map(|pieces| pieces.send(piece).is_ok());
        if taken == Some(true) {
            return Ok(());
        }
        // The writer ended early: it says why.
        self.close()?;
        Err(io::Error::other("the writing thread ended early"))
    }

    fn close(&mut self) -> io::Result<Written> {
        self.jobs = None;
        self.pieces = None;
        for worker in self.workers.drain(..) {
            worker
                .join()
                .map_err(|_| io::Error::other("a compressor thread failed"))?;
        }
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(io::Error::other("the writing thread is gone")),
        }
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(self.block);
        }
        let taken = bytes.len().min(self.block - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == self.block {
            self.end_block()?;
        }
        Ok(taken)
    }

    /// A frame ends where its block is full: flushing early would only make it compress worse.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        // After an error nobody asks for the rest, but no thread is left behind.
        let _ = self.close();
    }
}

fn write(file: File, sealer: Option<Sealer>, pieces: &Receiver<Piece>) -> io::Result<Written> {
    let mut out = Hashing {
        inner: BufWriter::with_capacity(1 << 17, file),
        sha256: Sha256::new(),
        bytes: 0,
        synced: 0,
    };
    let out = match sealer {
        Some(sealer) => {
            let mut sealed: Sealed<Hashing> = sealer.wrap(out)?;
            write_in_order(&mut sealed, pieces)?;
            sealed.finish()?
        }
        None => {
            write_in_order(&mut out, pieces)?;
            out
        }
    };
    let file = out.inner.into_inner().map_err(|error| error.into_error())?;
    Ok(Written {
        bytes: out.bytes,
        sha256: out.sha256.finalize().into(),
        file,
    })
}

fn write_in_order(out: &mut impl Write, pieces: &Receiver<Piece>) -> io::Result<()> {
    let mut at = 0;
    for piece in pieces {
        match piece {
            Piece::Frame(frame) => {
                let frame = frame
                    .recv()
                    .map_err(|_| io::Error::other("a compressor thread failed"))??;
                out.write_all(&frame)?;
                at += frame.len() as u64;
            }
            Piece::Splice(frames) => {
                let length = frames.bytes.limit();
                let mut frames = BufReader::with_capacity(1 << 17, frames);
                if io::copy(&mut frames, out)? != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                at += length;
            }
            // Whoever asked may have given up.
            Piece::Position(answer) => drop(answer.send(at)),
        }
    }
    Ok(())
}

/// After so many bytes they are sent to the disk: in small portions while the others compress, so
/// that the end has little left to wait for, and a database beside us is not stalled by one burst.
const PORTION: u64 = 4 << 20;

struct Hashing {
    inner: BufWriter<File>,
    sha256: Sha256,
    bytes: u64,
    /// Of those, how many are on disk.
    synced: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        if self.bytes - self.synced >= PORTION {
            self.inner.get_ref().sync_data()?;
            self.synced = self.bytes;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
