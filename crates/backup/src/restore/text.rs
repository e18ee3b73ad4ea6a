//! The SQL text that is to be restored: what may be done with it depends on whether it has been
//! surveyed.

use std::io::{self, Read};
use std::path::Path;

use elpis_run::{FsError, Observer, Secret, StopToken};

use super::error::TextError;
use super::event::RestoreEvent;
use super::grants::Wanted;
use super::survey::{Survey, survey};
use crate::archive::{
    Archive, ArchiveBytes, Container, DatabaseKind, DatabaseRecord, FileBytes, MANIFEST_DIR,
    MemberPath, Verified,
};

/// The longest text of accounts and rights that is read, in bytes.
const MAX_GRANTS: u64 = 16 << 20;

/// A dump of one database. In state [`Unsurveyed`] it can only be surveyed; what loads it needs
/// [`Surveyed`].
#[derive(Debug)]
pub struct SqlText<S> {
    source: Source,
    state: S,
}

/// Nobody has looked at the statements yet.
#[derive(Debug)]
pub struct Unsurveyed(());

/// Every statement is one of a dump, and the text is whole.
#[derive(Debug)]
pub struct Surveyed {
    survey: Survey,
    grants: Option<Wanted>,
}

#[derive(Debug)]
enum Source {
    /// Plain, or compressed as an archive would be.
    File(FileBytes, Option<Container>),
    Archive {
        archive: Box<Archive<Verified>>,
        member: MemberPath,
        database: Option<Box<DatabaseRecord>>,
    },
}

impl SqlText<Unsurveyed> {
    /// A dump in a file of its own: plain, in gzip or in zstd, whatever its name says.
    ///
    /// # Errors
    /// [`TextError::Fs`] when it cannot be read or is not a regular file.
    pub fn open(path: &Path) -> Result<SqlText<Unsurveyed>, TextError> {
        let file = FileBytes::open(path)?;
        let mut start = Vec::new();
        file.reader()
            .and_then(|reader| reader.take(4).read_to_end(&mut start))
            .map_err(|source| FsError::new("read", path, source))?;
        let container = Container::detect(&start);
        Ok(SqlText {
            source: Source::File(file, container),
            state: Unsurveyed(()),
        })
    }

    /// The dump of `database` in an archive, or without a name the one in its root, which is the
    /// only one in archives of the old script.
    ///
    /// # Errors
    /// [`TextError::NoDump`].
    pub fn of_archive(
        archive: Archive<Verified>,
        database: Option<&str>,
    ) -> Result<SqlText<Unsurveyed>, TextError> {
        let contents = archive.contents();
        let records = contents.manifest.iter().flat_map(|m| &m.databases);
        let records: Vec<&DatabaseRecord> = records
            .filter(|record| record.kind == DatabaseKind::Sql)
            .collect();
        let record = match database {
            Some(wanted) => records.iter().find(|record| record.name == wanted),
            None => records.first(),
        };
        let member = match record {
            Some(record) => Some(record.member.clone()),
            // Without a manifest nobody knows what the database was called.
            None if contents.manifest.is_none() => {
                contents.dumps.first().map(|dump| dump.member.clone())
            }
            None => None,
        };
        let Some(member) = member else {
            return Err(TextError::NoDump {
                path: archive.path().to_owned(),
                wanted: database.unwrap_or("any name").to_owned(),
                there: records.iter().map(|record| record.name.clone()).collect(),
            });
        };
        let database = record.map(|record| Box::new((*record).clone()));
        Ok(SqlText {
            source: Source::Archive {
                archive: Box::new(archive),
                member,
                database,
            },
            state: Unsurveyed(()),
        })
    }

    /// Reads all of it. What it holds besides statements of a dump refuses the whole.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn survey(
        self,
        stop: &StopToken,
        observer: &dyn Observer<RestoreEvent>,
    ) -> Result<SqlText<Surveyed>, TextError> {
        let mut found = survey(self.source.reader()?, stop, observer)?;
        if let Source::Archive {
            archive, database, ..
        } = &self.source
        {
            found.describe(archive.manifest(), database.as_deref());
        }
        let grants = self.source.grants()?;
        Ok(SqlText {
            source: self.source,
            state: Surveyed {
                survey: found,
                grants,
            },
        })
    }
}

impl SqlText<Surveyed> {
    /// What is in it.
    pub fn survey(&self) -> &Survey {
        &self.state.survey
    }

    /// The application's accounts and their rights, if the archive has them.
    pub(super) fn grants(&self) -> Option<&Wanted> {
        self.state.grants.as_ref()
    }

    /// The text once more.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send + '_>, TextError> {
        self.source.reader()
    }
}

impl<S> SqlText<S> {
    /// Where it was opened.
    pub fn path(&self) -> &Path {
        match &self.source {
            Source::File(file, _) => file.path(),
            Source::Archive { archive, .. } => archive.path(),
        }
    }

    /// The archive that it is in, if it is in one.
    pub fn archive(&self) -> Option<&Archive<Verified>> {
        match &self.source {
            Source::File(..) => None,
            Source::Archive { archive, .. } => Some(archive),
        }
    }
}

impl Source {
    /// Reads the lists of accounts of an archive; what our dumps do not write in one refuses all.
    fn grants(&self) -> Result<Option<Wanted>, TextError> {
        let Source::Archive { archive, .. } = self else {
            return Ok(None);
        };
        let below = format!("{MANIFEST_DIR}/grants");
        let Ok(below) = MemberPath::new(below.as_bytes()) else {
            return Ok(None);
        };
        let members = &archive.contents().members;
        let mut found = None;
        for member in members.iter().filter(|m| m.path.is_within(&below)) {
            let strange = |at, why| TextError::Accounts {
                member: format!("{:?}", member.path.to_string()),
                at,
                why,
            };
            let mut list = Vec::new();
            let mut reader = archive.read_member(&member.path)?.take(MAX_GRANTS + 1);
            let read = reader.read_to_end(&mut list);
            read.map_err(|_| strange(0, "it cannot be read"))?;
            // It has password hashes.
            let list = Secret::new(list);
            let list = list.expose().as_slice();
            if list.len() as u64 > MAX_GRANTS {
                return Err(strange(0, "it is longer than any list of accounts"));
            }
            let list = std::str::from_utf8(list).map_err(|_| strange(0, "it is not UTF-8"))?;
            let wanted = found.get_or_insert_with(Wanted::default);
            wanted
                .add(list)
                .map_err(|found| strange(found.at, found.why))?;
        }
        Ok(found)
    }

    fn reader(&self) -> Result<Box<dyn Read + Send + '_>, TextError> {
        match self {
            Source::File(file, container) => {
                let fail = |source| FsError::new("read", file.path(), source);
                let raw = file.reader().map_err(fail)?;
                let text: io::Result<Box<dyn Read + Send + '_>> = match container {
                    Some(container) => container.decoder(raw),
                    None => Ok(raw),
                };
                Ok(text.map_err(fail)?)
            }
            Source::Archive {
                archive, member, ..
            } => Ok(archive.read_member(member)?),
        }
    }
}
