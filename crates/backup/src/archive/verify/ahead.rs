//! Decompressing on a thread of its own, a little ahead of whoever looks at the result.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// Bytes in one block, and how many blocks wait at most.
const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 4;

/// What a reader on another thread has read. When this is dropped, that thread ends soon.
pub(super) struct Ahead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
    is_over: bool,
}

impl Ahead {
    /// Reads what `open` opens, on a thread of `scope`.
    pub(super) fn start<'scope, R: Read>(
        scope: &'scope Scope<'scope, '_>,
        open: impl FnOnce() -> io::Result<R> + Send + 'scope,
    ) -> Ahead {
        let (sender, blocks) = sync_channel(BLOCKS);
        scope.spawn(move || {
            match open() {
                Ok(reader) => read_ahead(reader, &sender),
                // Nobody may want it any more.
                Err(error) => drop(sender.send(Err(error))),
            }
        });
        Ahead {
            blocks,
            block: Vec::new(),
            at: 0,
            is_over: false,
        }
    }
}

fn read_ahead(mut reader: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        let read = (&mut reader).take(BLOCK as u64).read_to_end(&mut block);
        // What came before an error counts.
        if !block.is_empty() && sender.send(Ok(block)).is_err() {
            return;
        }
        match read {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => return drop(sender.send(Err(error))),
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() && !self.is_over {
            match self.blocks.recv() {
                Ok(block) => {
                    self.block = block?;
                    self.at = 0;
                }
                // The other side has read everything.
                Err(_) => self.is_over = true,
            }
        }
        let got = (&self.block[self.at..]).read(into)?;
        self.at += got;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_in_order_and_then_the_error() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let now = self.0.min(into.len()).min(1000);
                into[..now].fill(7);
                self.0 -= now;
                Ok(now)
            }
        }
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, || Ok(Failing(5 * BLOCK + 3)));
            let mut bytes = Vec::new();
            let error = ahead.read_to_end(&mut bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(bytes, vec![7; 5 * BLOCK + 3]);
        });
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, || Ok(io::repeat(1)));
            let mut some = [0; 10];
            ahead.read_exact(&mut some).unwrap();
            // Dropped with an endless rest: the thread ends all the same.
        });
    }
}
