//! Archives and dumps that are broken or meant to harm, against `restore` itself: each is refused
//! with the exit code of its kind and a word about what is wrong, the database and the files are
//! the same bit for bit, and nothing is left anywhere. A row of a table is a case.

mod dumps;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use elpis_backup::archive::{Archive, ReadLimits, Verify};
use elpis_backup::restore::SqlText;
use elpis_run::{StopToken, with_causes};
use tar::{Builder, EntryType, Header};

use super::{Installation, rounds, same, seed};
use crate::backup_server::sql;
use crate::harness::Said;

type Tar = Builder<Vec<u8>>;

/// A case: what it is, what makes the archive or dump, the exit code, and what is said.
struct Case {
    name: String,
    bytes: Vec<u8>,
    code: i32,
    why: &'static str,
}

fn gz(raw: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(raw).unwrap();
    gz.finish().unwrap()
}

fn raw(gz: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(gz);
    reader.read_to_end(&mut raw).unwrap();
    raw
}

/// A header with a raw name, which the `tar` crate would not write.
fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

fn put(tar: &mut Tar, kind: EntryType, name: &str, data: &[u8]) {
    tar.append(&header(kind, name, data.len() as u64), data)
        .unwrap();
}

fn link(tar: &mut Tar, kind: EntryType, name: &str, target: &str) {
    let mut header = header(kind, name, 0);
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    tar.append(&header, &b""[..]).unwrap();
}

/// The fields of the old GNU form of a file with holes: one piece, and how long all of it is.
fn gnu_sparse(tar: &mut Tar, name: &str, piece: (u64, u64), real: u64) {
    let mut header = Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(piece.1);
    header.set_mode(0o644);
    let gnu = header.as_gnu_mut().unwrap();
    let octal = |field: &mut [u8], value: u64| {
        field.copy_from_slice(format!("{value:011o}\0").as_bytes());
    };
    octal(&mut gnu.sparse[0].offset, piece.0);
    octal(&mut gnu.sparse[0].numbytes, piece.1);
    octal(&mut gnu.realsize, real);
    header.set_cksum();
    let data = vec![b'x'; usize::try_from(piece.1).unwrap()];
    tar.append(&header, data.as_slice()).unwrap();
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
                 CHECKSUM TABLE mysql.global_priv, mysql.db, mysql.proc, mysql.event, mysql.plugin, mysql.servers;
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

fn many(cases: &mut Vec<Case>, name: String, bytes: Vec<u8>, why: &'static str) {
    cases.push(Case {
        name,
        bytes,
        code: 7,
        why,
    });
}

#[test]
fn what_is_broken_or_meant_to_harm_is_refused_with_nothing_changed() {
    let ward = Ward::new();
    dumps::tries(&ward);
    archives_that_are_broken(&ward);
    archives_that_are_meant_to_harm(&ward);
}

fn archives_that_are_broken(ward: &Ward) {
    let whole = std::fs::read(&ward.world.archive).unwrap();
    let tar = raw(&whole);
    let seed = seed(3);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cases = Vec::new();
    // Cut off at every border between two members, as if the packer had died there.
    let mut at = 0;
    let mut borders = Vec::new();
    while tar[at] != 0 {
        borders.push(at);
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap();
        at += 512 + size.div_ceil(512) * 512;
    }
    assert!(borders.len() > 60, "{}", borders.len());
    let step = if rounds(0, 1) == 0 {
        borders.len() / 8
    } else {
        1
    };
    for border in borders.iter().step_by(step).chain(borders.last()) {
        let name = format!("cut at member {border}");
        many(&mut cases, name, gz(&tar[..*border]), "ends in the middle");
    }
    for _ in 0..rounds(4, 60) {
        let at = random.usize(20..whole.len());
        many(
            &mut cases,
            format!("cut at byte {at}, seed {seed}"),
            whole[..at].to_vec(),
            "is broken",
        );
        let mut flipped = whole.clone();
        let at = random.usize(20..whole.len() - 8);
        flipped[at] ^= 1 << random.u8(..8);
        many(
            &mut cases,
            format!("flipped at byte {at}, seed {seed}"),
            flipped,
            "is broken",
        );
    }
    // One bit in what is packed, and packed again: the frames do not give it away.
    let flip = |at: usize| {
        let mut tar = tar.clone();
        tar[at] ^= 4;
        gz(&tar)
    };
    let dump = borders[1];
    let manifest = *borders.last().unwrap();
    let is_file = |border: &&usize| {
        let name = String::from_utf8_lossy(&tar[**border..**border + 100]);
        tar[**border + 156] == b'0' && name.contains("config.php")
    };
    let file = borders.iter().find(is_file).unwrap() + 512;
    for (what, at, why) in [
        ("a header's name", dump + 3, "sum is wrong"),
        ("a header's size", dump + 130, "sum is wrong"),
        ("a header's checksum", dump + 150, "sum is wrong"),
        (
            "the dump",
            dump + 512 + 700,
            "has another sum than its list says",
        ),
        (
            "a file of the console",
            file,
            "is not what the manifest says",
        ),
        ("the manifest", manifest + 512 + 900, "manifest"),
        ("a list of sums", borders[0] + 512 + 40, "is broken"),
    ] {
        many(&mut cases, format!("a bit of {what}"), flip(at), why);
    }
    // The archive is whole, and the sum beside it says otherwise.
    ward.tries(&cases, false);
    let sums = ward.world.site.path("dest/SHA256SUMS");
    let good = std::fs::read_to_string(&sums).unwrap();
    let digit = good.as_bytes()[5];
    let other = if digit == b'0' { '1' } else { '0' };
    let mut bad = good.clone();
    bad.replace_range(5..6, &other.to_string());
    std::fs::write(&sums, bad).unwrap();
    let said = ward.restore(&["restore", ward.world.name(), "-f"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("its SHA-256 is"), "{said:?}");
    same(&ward.recount(), &ward.before, "a bit of SHA256SUMS");
    std::fs::write(&sums, good).unwrap();
}

fn archives_that_are_meant_to_harm(ward: &Ward) {
    let (m, case) = (
        |name: &str| ward.member(name),
        |name: &str, code, why, build: &dyn Fn(&mut Tar)| ward.case(name, code, why, build),
    );
    let file = EntryType::Regular;
    let pax = |tar: &mut Tar, records: &[(&str, &[u8])]| {
        tar.append_pax_extensions(records.iter().copied()).unwrap();
    };
    let owned = ward.world.site.path("owned").display().to_string();
    let cases = vec![
        case("an absolute name", 7, "absolute", &|tar| {
            put(tar, file, &owned, b"x")
        }),
        case("a way up", 7, "..", &|tar| {
            put(tar, file, &m("../../owned"), b"x")
        }),
        case("a way up by pax", 7, "..", &|tar| {
            pax(tar, &[("path", b"../../owned")]);
            put(tar, file, "x", b"x");
        }),
        case("a way up by a long name", 7, "..", &|tar| {
            put(
                tar,
                EntryType::GNULongName,
                "././@LongLink",
                b"../../owned\0",
            );
            put(tar, file, "x", b"x");
        }),
        case("control characters", 7, "..", &|tar| {
            put(tar, file, "\x1b]0;x\x07/../x", b"x")
        }),
        case("an empty name", 7, "empty", &|tar| put(tar, file, "", b"x")),
        case("a link up", 7, "leads out", &|tar| {
            link(tar, EntryType::Symlink, &m("l"), "../../../../../etc")
        }),
        case("a file below a link", 7, "below a link", &|tar| {
            link(tar, EntryType::Symlink, &m("dir"), "include");
            put(tar, file, &m("dir/owned"), b"x");
        }),
        case(
            "a file in a link's place",
            7,
            "another member of that name",
            &|tar| {
                link(tar, EntryType::Symlink, &m("l"), "index.php");
                put(tar, file, &m("l"), b"x");
            },
        ),
        case("a hard link up", 7, "..", &|tar| {
            link(tar, EntryType::Link, &m("h"), "../../etc/passwd")
        }),
        case("a hard link to /", 7, "absolute", &|tar| {
            link(tar, EntryType::Link, &m("h"), "/etc/passwd")
        }),
        case("a hard link ahead", 7, "no file before it", &|tar| {
            link(tar, EntryType::Link, &m("h"), &m("later"));
            put(tar, file, &m("later"), b"x");
        }),
        case("a hard link to a link", 7, "no file before it", &|tar| {
            link(tar, EntryType::Symlink, &m("l"), "index.php");
            link(tar, EntryType::Link, &m("h"), &m("l"));
        }),
        case("a hard link to itself", 7, "no file before it", &|tar| {
            link(tar, EntryType::Link, &m("h"), &m("h"))
        }),
        case("a name twice", 7, "another member of that name", &|tar| {
            put(tar, file, &m("index.php"), b"x")
        }),
        case(
            "a name twice with a dot",
            7,
            "another member of that name",
            &|tar| put(tar, file, &m("./index.php"), b"x"),
        ),
        case("a file as a directory", 7, "below a file", &|tar| {
            put(tar, file, &m("index.php/x"), b"x")
        }),
        case("a second dump", 7, "second dump", &|tar| {
            put(tar, file, "other.sql", DUMP.as_bytes())
        }),
        case("a character device", 7, "is refused", &|tar| {
            put(tar, EntryType::Char, &m("null"), b"")
        }),
        case("a block device", 7, "is refused", &|tar| {
            put(tar, EntryType::Block, &m("sda"), b"")
        }),
        case("a pipe", 7, "is refused", &|tar| {
            put(tar, EntryType::Fifo, &m("pipe"), b"")
        }),
        case("a directory with data", 7, "has data", &|tar| {
            put(tar, EntryType::Directory, &m("d/"), b"x")
        }),
        case("a header of 5 MB", 7, "bytes of headers", &|tar| {
            tar.append(
                &header(EntryType::XHeader, "x", 5 << 20),
                &vec![b'1'; 5 << 20][..],
            )
            .unwrap();
        }),
        case("a long name of 3 GB", 7, "bytes of headers", &|tar| {
            tar.append(
                &header(EntryType::GNULongName, "././@LongLink", 3 << 30),
                &b""[..],
            )
            .unwrap();
        }),
        case("a size beyond numbers", 7, "number", &|tar| {
            pax(tar, &[("size", b"99999999999999999999")]);
            put(tar, file, &m("x"), b"");
        }),
        case("a record that renames all", 7, "header", &|tar| {
            put(tar, EntryType::XGlobalHeader, "g", b"18 path=somewhere\n");
            put(tar, file, &m("x"), b"x");
        }),
        case("a map of holes that lies", 7, "map of", &|tar| {
            pax(
                tar,
                &[
                    ("GNU.sparse.major", b"1"),
                    ("GNU.sparse.minor", b"0"),
                    ("GNU.sparse.realsize", b"9"),
                    ("GNU.sparse.name", m("x").as_bytes()),
                ],
            );
            let mut data = b"2\n4\n4\n0\n4\n".to_vec();
            data.resize(512 + 8, 0);
            put(tar, file, "x", &data);
        }),
        case("a piece behind the end of its file", 7, "map of", &|tar| {
            gnu_sparse(tar, "s", (4096, 512), 100)
        }),
        case(
            "a piece behind the end of the file that it names",
            7,
            "map of",
            &|tar| gnu_sparse(tar, &m("s"), (1 << 32, 512), 1 << 32),
        ),
        case(
            "a link out of the tree that is not there",
            7,
            "leads out",
            &|tar| link(tar, EntryType::Symlink, &m("out"), "/etc/passwd"),
        ),
        case(
            "a configuration that PHP must run",
            3,
            "would not work",
            &|tar| {
                *tar = Builder::new(Vec::new());
                put(tar, file, "a.sql", DUMP.as_bytes());
                put(
                    tar,
                    file,
                    &m("include/config.php"),
                    b"<?php system('touch owned');\n",
                );
            },
        ),
        case(
            "a dump with a command in it",
            3,
            "command of the client",
            &|tar| {
                *tar = Builder::new(Vec::new());
                put(
                    tar,
                    file,
                    "a.sql",
                    format!("\\! touch {owned}\n;\n{DUMP}").as_bytes(),
                );
            },
        ),
    ];
    ward.tries(&cases, false);
    // The same without its sting is restored, so that it was the sting that was refused.
    let path: PathBuf = ward
        .world
        .site
        .path("attempt_backup_2026-01-01-00-00-00.tar.gz");
    std::fs::write(&path, ward.archive(|_| {})).unwrap();
    let said = ward.restore(&["restore", path.to_str().unwrap(), "-f"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(
        sql(&ward.world.server, "SELECT a FROM pandora.t").trim(),
        "1"
    );
    assert_eq!(ward.world.run("undo").code, 0);
    ward.world.is(&ward.world.old, "and taken back");
}
