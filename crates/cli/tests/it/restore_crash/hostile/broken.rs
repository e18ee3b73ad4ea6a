//! Archives that were sound: cut off at every member, flipped by one bit anywhere.

use std::io::Read;

use super::tars::gz;
use super::{Case, Ward};
use crate::restore_crash::{rounds, same, seed};

fn raw(gz: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(gz);
    reader.read_to_end(&mut raw).unwrap();
    raw
}

fn many(cases: &mut Vec<Case>, name: String, bytes: Vec<u8>, why: &'static str) {
    cases.push(Case {
        name,
        bytes,
        code: 7,
        why,
    });
}

pub(super) fn tries(ward: &Ward) {
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
