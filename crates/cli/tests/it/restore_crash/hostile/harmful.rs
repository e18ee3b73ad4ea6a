//! Archives that somebody has made to do harm.

use std::path::PathBuf;

use tar::{Builder, EntryType, Header};

use super::tars::{Tar, header, link, put};
use super::{DUMP, Ward};
use crate::backup_server::sql;

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

pub(super) fn tries(ward: &Ward) {
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
