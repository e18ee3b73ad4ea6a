//! The verbs. Each takes plain values and says how it ended; [`backup`] chooses among them.

mod classic;
mod create;
mod demo;
mod dump;
mod extract;
mod inspect;
mod list;
mod pin;
mod prune;
mod rehearse;
mod restore;
mod upload;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use elpis_backup::{ArchiveName, Encryption, Keys, LocalStore, ObjectStore};
use elpis_run::{Clock, Holder, RealClock, SqliteJournal};
use jiff::tz::TimeZone;

use super::args::{Arguments, Global, Verb};
use super::remote::{self, StoreSettings};
use super::settings::{ConfigError, Settings};
use crate::environment::Environment;
use crate::exit::{Code, Verdict};
use crate::interrupt::{Interrupt, LeftAtOnce};
use crate::output::Printer;
use crate::program;

/// The program's name in locks, in the journal and on the server.
pub(super) const PROGRAM: &str = "elpis-backup";

/// How much the rest of the host goes before us, as `nice` counts.
const NICE: i32 = 10;

/// The whole of `elpis-backup`: reads arguments, environment and configuration, carries out one
/// verb, and returns the exit code.
pub fn backup() -> ExitCode {
    let args = match Arguments::try_parse().and_then(check) {
        Ok(args) => args,
        Err(said) => return program::answer(&said),
    };
    let printer = args.global.manners.printer();
    let verdict =
        carry_out(args, printer).unwrap_or_else(|error| crate::exit::backup::verdict(&error));
    program::conclude(printer, &verdict)
}

/// What clap cannot say: the old command has no verb, and everything else has one.
fn check(args: Arguments) -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    match (&args.verb, &args.classic.console) {
        (Some(_), Some(_)) => {
            let text = "-c and -d are the old command, which has no verb";
            Err(command.error(ErrorKind::ArgumentConflict, text))
        }
        (None, None) => {
            let text = "a verb is missing, or -c CONSOLE -d DEST; --help shows them";
            Err(command.error(ErrorKind::MissingSubcommand, text))
        }
        _ => Ok(args),
    }
}

/// What every verb has at hand.
pub(super) struct Context {
    pub(super) printer: Printer,
    pub(super) interrupt: Interrupt,
    pub(super) settings: Settings,
    /// What opens encrypted archives.
    pub(super) keys: Keys,
    /// The file that the arguments name for a passphrase.
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) clock: RealClock,
    pub(super) zone: TimeZone,
}

fn carry_out(args: Arguments, printer: Printer) -> Result<Verdict> {
    let Arguments {
        classic,
        global,
        verb,
    } = args;
    match verb {
        Some(Verb::Completions { shell }) => {
            return program::completions(shell, Arguments::command(), printer);
        }
        Some(Verb::Man) => return program::man(Arguments::command(), printer),
        _ => {}
    }
    // What else runs on this host goes first, above all the server that is read. Threads inherit
    // it; where it is not allowed, nothing is lost.
    let _ = rustix::process::nice(NICE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let interrupt = Interrupt::new();
    let settings = settings(&global)?;
    let context = Context {
        printer,
        interrupt: interrupt.clone(),
        keys: settings
            .encryption
            .keys(&global.identity, global.passphrase_file.as_deref())?,
        passphrase_file: global.passphrase_file,
        settings,
        clock: RealClock::new(),
        zone: TimeZone::system(),
    };
    // The work blocks, on a thread of its own; this one listens for signals. Whoever stops it
    // gets an answer soon: every loop looks at the token.
    interrupt.wait_for_safe_point();
    let result = runtime.block_on(async {
        let work = tokio::task::spawn_blocking(move || match verb {
            None => classic::run(&context, classic),
            Some(verb) => dispatch(&context, verb),
        });
        let watch = tokio::spawn(interrupt.watch(printer));
        tokio::select! {
            result = work => result?,
            watched = watch => {
                watched??;
                Err(LeftAtOnce.into())
            }
        }
    });
    runtime.shutdown_background();
    result
}

fn dispatch(context: &Context, verb: Verb) -> Result<Verdict> {
    match verb {
        Verb::Create(args) => create::run(context, args),
        Verb::Dump(args) => dump::run(context, &args),
        Verb::Verify(args) => verify::run(context, args),
        Verb::List(args) => list::run(context, args),
        Verb::Inspect(args) => inspect::run(context, &args),
        Verb::Extract(args) => extract::run(context, &args),
        Verb::Restore(args) => restore::run(context, &args),
        Verb::Undo(args) => restore::back::undo(context, &args),
        Verb::Resume(args) => restore::back::resume(context, &args),
        Verb::Forget(args) => restore::back::forget(context, &args),
        Verb::Rehearse(args) => rehearse::run(context, &args),
        Verb::Upload(args) => upload::run(context, args),
        Verb::Prune(args) => prune::run(context, args),
        Verb::Pin(args) => pin::run(context, args.target.target, &args.archive, Some(args.why)),
        Verb::Unpin(args) => pin::run(context, args.target.target, &args.archive, None),
        Verb::Demo(args) => demo::run(context, &args),
        Verb::Completions { .. } | Verb::Man => Ok(Verdict::silent(Code::Done)),
    }
}

fn settings(global: &Global) -> Result<Settings, ConfigError> {
    Settings::load(global.config.as_deref(), &Environment::read())
}

impl Context {
    fn store(&self, argument: Option<PathBuf>) -> Result<LocalStore> {
        Ok(LocalStore::open(&self.settings.target(argument)?)?)
    }

    /// A store to read and prune: a directory, or a bucket.
    fn any_store(&self, argument: Option<PathBuf>) -> Result<Box<dyn ObjectStore>> {
        match argument.as_deref().and_then(remote::address) {
            Some(address) => self.remote(&address),
            None => Ok(Box::new(self.store(argument)?)),
        }
    }

    fn remote(&self, address: &str) -> Result<Box<dyn ObjectStore>> {
        let stop = &self.interrupt.stop;
        remote::open(address, &self.settings.store, stop, self.printer)
    }

    /// Where archives are to be copied to, if an argument or the configuration says so.
    fn copies(&self, argument: Option<PathBuf>) -> Result<Option<Box<dyn ObjectStore>>> {
        let said = argument.or_else(|| self.settings.store.url.as_ref().map(PathBuf::from));
        let Some(said) = said else { return Ok(None) };
        self.opened(&said, &self.settings.store).map(Some)
    }

    fn opened(&self, said: &Path, settings: &StoreSettings) -> Result<Box<dyn ObjectStore>> {
        let address = remote::address(said).unwrap_or_else(|| said.display().to_string());
        remote::open(&address, settings, &self.interrupt.stop, self.printer)
    }

    #[cfg(feature = "remote")]
    fn copies_to(
        &self,
        argument: Option<PathBuf>,
        max_rate: Option<u64>,
    ) -> Result<Box<dyn ObjectStore>> {
        let unsaid = ConfigError::Unsaid {
            what: "where to copy archives to",
            hint: "use --to with s3://BUCKET/PREFIX or sftp://HOST/PATH, or set url under [store] \
                   in the configuration",
        };
        let settings = self.settings.store.clone().at_most(max_rate);
        let said = argument.or_else(|| settings.url.as_ref().map(PathBuf::from));
        self.opened(&said.ok_or(unsaid)?, &settings)
    }

    /// To whom a new archive is encrypted.
    fn encryption(&self, to: &[String]) -> Result<Option<Encryption>> {
        let passphrase = self.passphrase_file.as_deref();
        self.settings.encryption.encryption(to, passphrase)
    }

    fn journal_path(&self) -> PathBuf {
        self.settings.state.join("journal.db")
    }

    fn journal(&self) -> Result<SqliteJournal> {
        let keep_days = Some(self.settings.keep_days);
        Ok(SqliteJournal::open(&self.journal_path(), keep_days)?)
    }

    fn holder(&self) -> Holder {
        Holder::current(PROGRAM, self.clock.now())
    }

    /// The archive that an argument means: a path, or a name in the target.
    fn find(&self, archive: &Path, target: Option<PathBuf>) -> Result<Found> {
        if let Some(found) = self.find_remote(archive, target.as_deref())? {
            return Ok(found);
        }
        let is_path = archive.components().count() > 1 || archive.symlink_metadata().is_ok();
        let path = match is_path {
            true => archive.to_owned(),
            false => self.settings.target(target)?.join(archive),
        };
        let named = path
            .file_name()
            .and_then(|name| name.to_str()?.parse::<ArchiveName>().ok());
        let place = match path.parent() {
            Some(place) if !place.as_os_str().is_empty() => place,
            _ => Path::new("."),
        };
        let stored = named.and_then(|name| {
            let store: Box<dyn ObjectStore> = Box::new(LocalStore::open(place).ok()?);
            Some((store, name))
        });
        Ok(Found { path, stored })
    }

    /// The same in a bucket: its whole address, or a name in a target that is one.
    fn find_remote(&self, archive: &Path, target: Option<&Path>) -> Result<Option<Found>> {
        let address = match (remote::address(archive), target.and_then(remote::address)) {
            (Some(address), _) => address,
            (None, Some(place)) => format!("{place}/{}", archive.display()),
            (None, None) => return Ok(None),
        };
        let Some((place, name)) = remote::split(&address) else {
            return Ok(None);
        };
        let stored = Some((self.remote(place)?, name.parse()?));
        let path = PathBuf::from(&address);
        Ok(Some(Found { path, stored }))
    }
}

/// An archive somebody asked for.
struct Found {
    path: PathBuf,
    /// Where it is kept, if its name is that of an archive.
    stored: Option<(Box<dyn ObjectStore>, ArchiveName)>,
}
