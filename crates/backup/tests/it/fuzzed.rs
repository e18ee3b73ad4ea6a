//! The readers of foreign archives and dumps with the fuzzers' seeds and mutants of them
//! (`fuzz/mutants.rs`): read or refused, never a panic.

#[path = "../../../../fuzz/mutants.rs"]
mod mutants;
#[path = "../../../../fuzz/checks/sql.rs"]
mod sql;
#[path = "../../../../fuzz/checks/tar.rs"]
mod tar;

use crate::support::rounds;

#[test]
fn streams_of_archives() {
    let words: [&[u8]; 9] = [
        b"../",
        b"/",
        b"\0",
        b"00000000777\0",
        b"30 path=../../x\n",
        b"GNU.sparse.major=1\n",
        b"ustar\0",
        b"\x80\0\0\0\0\0\0\x01",
        b"././@LongLink",
    ];
    mutants::run("tar", &words, rounds(4_000, 200_000), tar::check);
}

#[test]
fn texts_of_dumps() {
    let words: [&[u8]; 24] = [
        b"'",
        b"\"",
        b"`",
        b"\\",
        b";",
        b"-- ",
        b"#",
        b"\n",
        b"/*",
        b"*/",
        b"/*!50003 ",
        b"/*!99999 ",
        b"/*M!100301 ",
        b"DELIMITER ;;\n",
        b"SET sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES';",
        b"SET NAMES gbk;",
        b"INSERT INTO t VALUES (1,'x');",
        b"CREATE TABLE t (a INT);",
        b"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN END;",
        b"(",
        b")",
        b",",
        b"@a",
        b"-- Dump completed\n",
    ];
    mutants::run("sql", &words, rounds(8_000, 400_000), sql::check);
}
