//! A fuzzer without coverage, for the tests that run everywhere: every seed as it is, then mixtures
//! of them, the same for the same number. `scripts/fuzz` looks with coverage and for longer.

use std::path::{Path, PathBuf};

/// Calls `check` with every seed in `fuzz/corpus/TARGET`, then with `rounds` mutants of them into
/// which `words` are mixed. A seed that `check` panics about is named by the test's output.
pub(crate) fn run(target: &str, words: &[&[u8]], rounds: u64, check: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut names: Vec<PathBuf> = std::fs::read_dir(corpus.join(target))
        .expect("the seeds")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    names.sort();
    let mut seeds = Vec::new();
    for name in names {
        let seed = std::fs::read(&name).expect("a seed");
        println!("{}", name.display());
        check(&seed);
        seeds.push(seed);
    }
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let number = std::env::var("ELPIS_SEED").ok();
    let number = number.and_then(|number| number.parse().ok()).unwrap_or(1);
    let mut random = Random(number);
    for round in 0..rounds {
        let mut bytes = random.pick(&seeds).clone();
        for _ in 0..=random.below(6) {
            mutate(&mut bytes, &seeds, words, &mut random);
        }
        let shown = Shown(&bytes, round, number);
        check(&bytes);
        drop(shown);
    }
}

/// Shows what the check panicked about.
struct Shown<'a>(&'a [u8], u64, u64);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Shown(bytes, round, number) = self;
            println!(
                "ELPIS_SEED={number}, mutant {round}: {}",
                bytes.escape_ascii()
            );
        }
    }
}

/// The longest mutant, in bytes.
const LONGEST: usize = 32 << 10;

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let to = (at + random.below(40)).min(bytes.len());
    match random.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
        2 => drop(bytes.drain(at..to)),
        3 => bytes.truncate(at),
        4 => {
            let again = bytes[at..to].to_vec();
            bytes.splice(at..at, again);
        }
        5 => {
            let other = random.pick(seeds);
            let from = random.below(other.len() + 1);
            bytes.splice(at..to, other[from..].iter().copied());
        }
        _ if !words.is_empty() => {
            let word = random.pick(words);
            bytes.splice(at..at, word.iter().copied());
        }
        _ => {}
    }
    bytes.truncate(LONGEST);
}

/// Enough chance for this, and the same on every machine (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        (number % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
