//! Archives and dumps that are broken or meant to harm, against `restore` itself: each is refused
//! with the exit code of its kind and a word about what is wrong, the database and the files are
//! the same bit for bit, and nothing is left anywhere. A row of a table is a case.

mod accounts;
mod broken;
mod dumps;
mod harmful;
#[path = "../../../../backup/tests/it/tars.rs"]
mod tars;

use std::path::Path;

use elpis_backup::archive::{Archive, ReadLimits, Verify};
use elpis_backup::restore::SqlText;
use elpis_run::{StopToken, with_causes};
use tar::{Builder, EntryType};

use self::tars::{Tar, gz, put};
use super::{Installation, rounds, same};
use crate::backup_server::sql;
use crate::harness::Said;

/// A case: what it is, what makes the archive or dump, the exit code, and what is said.
struct Case {
    name: String,
    bytes: Vec<u8>,
    code: i32,
    why: &'static str,
}

const DUMP: &str = "CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\n-- Dump completed\n";

/// Where everything is tried.
struct Ward {
    world: Installation,
    /// The console's directory as archives name it.
    console: String,
    before: String,
}

impl Ward {
    fn new() -> Ward {
        let world = Installation::new();
        std::fs::create_dir(world.site.path("tmp")).unwrap();
        let console = world.site.path("pandora_console").display().to_string();
        let console = console.trim_start_matches('/').to_owned();
        let mut ward = Ward {
            world,
            console,
            before: String::new(),
        };
        ward.before = ward.recount();
        ward
    }

    /// What one look can tell of everything that a case could have touched.
    fn recount(&self) -> String {
        let tables = "pandora.tagente_datos, pandora.tagente, pandora.tmodulo, pandora.tlog, pandora.tarde, pandora.tconfig";
        let database = sql(
            &self.world.server,
            &format!(
                "SHOW DATABASES; CHECKSUM TABLE {tables} EXTENDED;
                 CHECKSUM TABLE mysql.global_priv, mysql.db, mysql.roles_mapping, mysql.tables_priv, mysql.proc, mysql.event, mysql.plugin, mysql.servers;
                 SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'pandora';
                 SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'pandora' ORDER BY 1;
                 SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'pandora' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX;
                 SELECT @@GLOBAL.general_log, @@GLOBAL.read_only, @@GLOBAL.event_scheduler, @@GLOBAL.local_infile, @@GLOBAL.sql_mode"
            ),
        );
        let files = "find . -not -path './state*' -not -path './attempt*' -not -path './.attempt*.json' -not -path './dest/.*' -not -name SHA256SUMS \
                     -printf '%P|%y|%m|%U|%l|%s\\n' | sort && find pandora_console -type f -exec sha256sum {} + | sort";
        format!("{database}\n{}", self.world.site.shell(files))
    }

    fn restore(&self, args: &[&str]) -> Said {
        let site = &self.world.site;
        let args = [args, &super::REACH].concat();
        let mut command = site.command(&args);
        command.env("TMPDIR", site.path("tmp"));
        site.said(&command.output().unwrap())
    }

    /// What the library says of it, if it refuses it by itself.
    fn look(path: &Path, of_dumps: bool) -> Option<String> {
        let stop = StopToken::new();
        if of_dumps {
            let text = SqlText::open(path).and_then(|text| text.survey(&stop, &()));
            return text.err().map(|error| with_causes(&error));
        }
        let how = Verify {
            limits: ReadLimits::default(),
            sha256: None,
            stop: &stop,
            observer: &(),
        };
        let verified = Archive::open(path).and_then(|archive| archive.verify(&how));
        verified.err().map(|error| with_causes(&error))
    }

    /// Each is refused by `restore`; in the quick count one in four, and of the others the library
    /// must say the same.
    fn tries(&self, cases: &[Case], of_dumps: bool) {
        let mut wrong = Vec::new();
        let mut restored = 0;
        for (at, case) in cases.iter().enumerate() {
            let name = match of_dumps {
                true => "attempt.sql",
                false => "attempt_backup_2026-01-01-00-00-00.tar.gz",
            };
            let path = self.world.site.path(name);
            std::fs::write(&path, &case.bytes).unwrap();
            let looked = (rounds(at as u32 % 4, 0) != 0).then(|| Ward::look(&path, of_dumps));
            if let Some(Some(said)) = looked {
                if !said.contains(case.why) {
                    wrong.push(format!("{}: wanted {:?}, {said}", case.name, case.why));
                }
                continue;
            }
            restored += 1;
            let name = path.to_str().unwrap();
            let said = match of_dumps {
                true => self.restore(&["restore", "--sql", name]),
                false => self.restore(&["restore", name, "-f"]),
            };
            let is_said = said.err.contains("hint: ") && said.err.contains(case.why);
            let is_said = is_said && !said.err.contains('\x1b');
            if said.code != case.code || !is_said {
                wrong.push(format!(
                    "{}: wanted {} {:?}, {said:?}",
                    case.name, case.code, case.why
                ));
            }
            same(
                &self.recount(),
                &self.before,
                &format!("{}: {said:?}", case.name),
            );
            let left = std::fs::read_dir(self.world.site.path("tmp"))
                .unwrap()
                .count();
            assert_eq!(left, 0, "{}", case.name);
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            cases.len(),
            wrong.join("\n")
        );
        println!(
            "{} were refused, {restored} by `restore` with nothing changed",
            cases.len()
        );
        self.world.is(&self.world.old, "after all of them");
        assert_eq!(self.world.open_runs(), 0);
        assert_eq!(self.world.leftovers(), [""; 0]);
        assert!(!self.world.site.path("owned").exists());
    }

    /// An archive as the old script makes it, sound but for what `build` adds.
    fn archive(&self, build: impl FnOnce(&mut Tar)) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        put(
            &mut tar,
            EntryType::Regular,
            "pandorafms_backup_2018-03-12-15-33-13.sql",
            DUMP.as_bytes(),
        );
        let config =
            std::fs::read(self.world.site.path("pandora_console/include/config.php")).unwrap();
        put(
            &mut tar,
            EntryType::Regular,
            &format!("{}/include/config.php", self.console),
            &config,
        );
        put(
            &mut tar,
            EntryType::Regular,
            &format!("{}/index.php", self.console),
            b"<?php\n",
        );
        build(&mut tar);
        gz(&tar.into_inner().unwrap())
    }

    fn case(&self, name: &str, code: i32, why: &'static str, build: impl FnOnce(&mut Tar)) -> Case {
        Case {
            name: name.to_owned(),
            bytes: self.archive(build),
            code,
            why,
        }
    }

    /// A member of the console's tree.
    fn member(&self, name: &str) -> String {
        format!("{}/{name}", self.console)
    }
}

#[test]
fn what_is_broken_or_meant_to_harm_is_refused_with_nothing_changed() {
    let ward = Ward::new();
    dumps::tries(&ward);
    broken::tries(&ward);
    accounts::tries(&ward);
    harmful::tries(&ward);
    accounts::gives_no_more_than_it_may(&ward);
}
