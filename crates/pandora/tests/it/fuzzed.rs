//! The readers of the product's files with the fuzzers' seeds and mutants of them
//! (`fuzz/mutants.rs`): read or refused, never a panic, never a password in an error.

#[path = "../../../../fuzz/checks/config_php.rs"]
mod config_php;
#[path = "../../../../fuzz/checks/ha_hosts.rs"]
mod ha_hosts;
#[path = "../../../../fuzz/mutants.rs"]
mod mutants;
#[path = "../../../../fuzz/checks/server_conf.rs"]
mod server_conf;

fn rounds() -> u64 {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 400_000,
        None => 8_000,
    }
}

#[test]
fn configurations_of_the_console() {
    let words: [&[u8]; 16] = [
        b"<?php",
        b"?>",
        b"$config[\"dbpass\"]",
        b"=",
        b"\"s3cr3t\"",
        b"'",
        b"\\",
        b";",
        b"/*",
        b"*/",
        b"//",
        b"#",
        b"<<<'X'\n",
        b"getenv('X')",
        b"$config['dbport']=",
        b"\xff",
    ];
    mutants::run("config_php", &words, rounds(), config_php::check);
}

#[test]
fn files_of_the_ha_daemon() {
    let words: [&[u8]; 7] = [b"db1", b"::1", b"\n", b"\r\n", b"\t", b"\xc2\xa0", b"\xff"];
    mutants::run("ha_hosts", &words, rounds(), ha_hosts::check);
}

#[test]
fn configurations_of_the_server() {
    let words: [&[u8]; 10] = [
        b"dbname ",
        b"dbpass ",
        b"dbport 0",
        b"\n",
        b"#",
        b"\t",
        b"\r\n",
        b"dbhost\n",
        b"\xff",
        b"include ",
    ];
    mutants::run("server_conf", &words, rounds(), server_conf::check);
}
