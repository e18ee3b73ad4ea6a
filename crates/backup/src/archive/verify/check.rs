//! Collecting everything that is wrong.

use std::io::Read;

use super::sum::Sum;
use super::{Dump, Problem, Verify, leaves};
use crate::archive::entry::{Entry, EntryKind};
use crate::archive::manifest::{
    Content, DatabaseKind, FORMAT, MANIFEST_NAME, Manifest, MemberRecord, PIECES_DIR, PieceRecord,
};
use crate::archive::path::{MemberPath, hex};
use crate::archive::reader::{ArchiveReader, ReadError};
use crate::event::BackupEvent;

/// The longest manifest or list of pieces that is read into memory, in bytes.
const MAX_LIST: u64 = 512 << 20;
/// How much of a dump's end is kept for looking at.
const TAIL: usize = 512;
/// The last line of every complete dump, ours and the stock tool's, begins so.
const COMPLETE: &[u8] = b"-- Dump completed";

/// What has been found so far.
pub(super) struct Check<'a> {
    how: &'a Verify<'a>,
    pub(super) members: Vec<MemberRecord>,
    pub(super) manifest: Option<Manifest>,
    manifest_seen: bool,
    pub(super) dumps: Vec<(Dump, bool)>,
    pub(super) problems: Vec<Problem>,
    /// The list that stands before a dump.
    pieces: Option<Vec<PieceRecord>>,
    /// The lists of the dumps so far.
    pub(super) lists: Vec<(MemberPath, Vec<PieceRecord>)>,
}

impl<'a> Check<'a> {
    pub(super) fn new(how: &'a Verify<'a>) -> Check<'a> {
        Check {
            how,
            members: Vec::new(),
            manifest: None,
            manifest_seen: false,
            dumps: Vec::new(),
            problems: Vec::new(),
            pieces: None,
            lists: Vec::new(),
        }
    }

    fn problem(&mut self, member: &MemberPath, what: impl Into<String>) {
        let (member, what) = (Some(member.to_string()), what.into());
        self.problems.push(Problem { member, what });
    }

    pub(super) fn read<R: Read>(&mut self, reader: &mut ArchiveReader<R>) -> Result<(), ReadError> {
        while let Some(entry) = reader.next_entry()? {
            if self.manifest_seen {
                self.problem(
                    &entry.path,
                    "stands after the manifest, which is the last member",
                );
            }
            let content = match &entry.kind {
                EntryKind::File { size, .. } => self.file(&entry, *size, reader)?,
                EntryKind::Directory => Content::Directory,
                EntryKind::Symlink(target) => {
                    self.members.push(MemberRecord {
                        path: entry.path.clone(),
                        content: Content::symlink(target),
                    });
                    continue;
                }
                EntryKind::Hardlink(target) => Content::Hardlink {
                    target: target.clone(),
                },
            };
            self.members.push(MemberRecord {
                path: entry.path,
                content,
            });
            if self.how.stop.is_stopped() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &Entry,
        size: u64,
        reader: &mut ArchiveReader<R>,
    ) -> Result<Content, ReadError> {
        let name = entry.path.as_bytes();
        let is_manifest = name == MANIFEST_NAME.as_bytes();
        let is_list = name
            .strip_prefix(PIECES_DIR.as_bytes())
            .is_some_and(|r| r.starts_with(b"/"));
        let keep = is_manifest || is_list;
        if keep && size > MAX_LIST {
            let (what, limit) = ("bytes in its manifest", MAX_LIST);
            return Err(ReadError::Limit { what, limit });
        }
        let pieces = self.pieces.take();
        let mut sum = Sum::new(pieces.as_deref());
        let (mut kept, mut tail) = (Vec::new(), Vec::new());
        let mut buffer = vec![0; 1 << 17];
        loop {
            let got = reader.read_data(&mut buffer)?;
            if got == 0 || self.how.stop.is_stopped() {
                break;
            }
            let bytes = &buffer[..got];
            sum.update(bytes);
            if keep {
                kept.extend_from_slice(bytes);
            }
            tail.extend_from_slice(&bytes[got.saturating_sub(TAIL)..]);
            let over = tail.len().saturating_sub(TAIL);
            tail.drain(..over);
            self.how.observer.on(&BackupEvent::Verifying {
                bytes: reader.raw_bytes(),
            });
        }
        if is_list {
            self.pieces = self.list(&entry.path, &kept);
        }
        if is_manifest {
            self.manifest(&entry.path, &kept);
        }
        if name.ends_with(b".sql") {
            let dump = Dump {
                member: entry.path.clone(),
                bytes: size,
                rows: None,
            };
            self.dumps.push((dump, is_complete(&tail)));
        }
        let count = pieces.as_ref().map(|pieces| pieces.len() as u64);
        let (blake3, wrong) = sum.finish();
        if let Some(place) = wrong {
            self.problem(
                &entry.path,
                format!("its piece {place} has another sum than its list says"),
            );
        }
        let rows = pieces
            .as_ref()
            .map(|pieces| pieces.iter().map(|piece| piece.rows).sum());
        if let Some(pieces) = pieces {
            self.lists.push((entry.path.clone(), pieces));
        }
        Ok(Content::File {
            size,
            blake3,
            pieces: count,
            rows,
        })
    }

    fn list(&mut self, member: &MemberPath, text: &[u8]) -> Option<Vec<PieceRecord>> {
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        match lines.map(serde_json::from_slice).collect() {
            Ok(pieces) => Some(pieces),
            Err(error) => {
                self.problem(member, format!("is no list of pieces: {error}"));
                None
            }
        }
    }

    fn manifest(&mut self, member: &MemberPath, text: &[u8]) {
        self.manifest_seen = true;
        match serde_json::from_slice::<Manifest>(text) {
            Ok(manifest) if manifest.format > FORMAT => {
                let found = manifest.format;
                self.problem(
                    member,
                    format!("has format {found}, which a later release reads"),
                );
            }
            Ok(manifest) => self.manifest = Some(manifest),
            Err(error) => self.problem(member, format!("is no manifest: {error}")),
        }
    }

    /// Everything that can only be judged at the end.
    pub(super) fn compare(&mut self) {
        if self.pieces.is_some() {
            self.problems.push(Problem {
                member: None,
                what: "a list of pieces has no dump behind it".to_owned(),
            });
        }
        match self.manifest.take() {
            Some(manifest) => {
                self.compare_with(&manifest);
                self.manifest = Some(manifest);
            }
            None if self.manifest_seen => {}
            None => self.compare_without_manifest(),
        }
    }

    fn compare_with(&mut self, manifest: &Manifest) {
        let members = std::mem::take(&mut self.members);
        self.compare_members(&members, &manifest.members);
        self.members = members;
        let sql = |kind| kind == DatabaseKind::Sql;
        let told = manifest
            .databases
            .iter()
            .filter(|database| sql(database.kind));
        for database in told {
            let at = self
                .dumps
                .iter()
                .position(|(dump, _)| dump.member == database.member);
            match at {
                None => self.problem(&database.member, "is a dump in the manifest only"),
                Some(at) => self.dumps[at].0.rows = Some(database.rows),
            }
        }
        let is_dump = |dump: &Dump| {
            manifest
                .databases
                .iter()
                .any(|database| database.member == dump.member)
        };
        self.dumps.retain(|(dump, _)| is_dump(dump));
        self.expect_complete();
    }

    fn compare_members(&mut self, found: &[MemberRecord], told: &[MemberRecord]) {
        let is_manifest = |m: &&MemberRecord| m.path.as_bytes() == MANIFEST_NAME.as_bytes();
        let mut found = found.iter().filter(|member| !is_manifest(member));
        for told in told {
            match found.next() {
                Some(member) if member == told => {}
                Some(member) if member.path == told.path => {
                    self.problem(&told.path, "is not what the manifest says");
                }
                _ => {
                    self.problem(&told.path, "is in the manifest but not in its place");
                    return;
                }
            }
        }
        for extra in found {
            self.problem(&extra.path, "is not in the manifest");
        }
    }

    /// Archives of the old script: a dump in the root, and what lay below `/`.
    fn compare_without_manifest(&mut self) {
        self.dumps
            .retain(|(dump, _)| dump.member.parts().count() == 1);
        if self.dumps.len() > 1 {
            let dump = self.dumps[1].0.member.clone();
            self.problem(
                &dump,
                "is a second dump in the root: the old restore would load both",
            );
        }
        if self.members.is_empty() {
            let what = "there is nothing in it".to_owned();
            self.problems.push(Problem { member: None, what });
        }
        // Links of a backup of ours stand in its manifest; the old script followed them.
        let outside: Vec<MemberPath> = self
            .members
            .iter()
            .filter(|member| match &member.content {
                Content::Symlink { target } => leaves(&member.path, target.as_bytes()),
                _ => false,
            })
            .map(|member| member.path.clone())
            .collect();
        for link in outside {
            self.problem(&link, "is a link that leads out of the archive");
        }
        self.expect_complete();
    }

    fn expect_complete(&mut self) {
        let cut: Vec<MemberPath> = self
            .dumps
            .iter()
            .filter(|(_, complete)| !complete)
            .map(|(dump, _)| dump.member.clone())
            .collect();
        for dump in cut {
            self.problem(
                &dump,
                "does not end with the mark `-- Dump completed`: it was cut off",
            );
        }
    }

    pub(super) fn compare_sha256(&mut self, found: [u8; 32]) {
        if let Some(told) = self.how.sha256.filter(|told| *told != found) {
            let what = format!("its SHA-256 is {}, not {}", hex(&found), hex(&told));
            self.problems.push(Problem { member: None, what });
        }
    }
}

/// Whether the last line that says anything is the mark.
fn is_complete(tail: &[u8]) -> bool {
    let last = tail.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    last.is_some_and(|line| line.starts_with(COMPLETE))
}
