//! `kill -9` of the real program at random moments of a restore of database and files together,
//! then `resume` or `undo`: both are the old or both are the new, as the stock client, `find` and
//! `sha256sum` see them. Six kills; `ELPIS_SOAK=1` makes it 200. A kill counts only if something
//! was unfinished.

mod config_first;
mod disk;
mod hostile;
mod installation;
mod lost;
mod objects;
mod server;
mod several;

use std::process::Child;
use std::time::{Duration, Instant};

use self::installation::{Installation, REACH, same};
use crate::backup_server::slots;

/// `ELPIS_SOAK` above 1 is a count of its own, for a part of the whole.
fn rounds(quick: u32, soak: u32) -> u32 {
    let Ok(said) = std::env::var("ELPIS_SOAK") else {
        return quick;
    };
    let part = said.parse().ok().filter(|part| *part > 1);
    part.map_or(soak, |part: u32| part.min(soak))
}

fn seed(usual: u64) -> u64 {
    let said = std::env::var("ELPIS_SEED").ok();
    said.and_then(|seed| seed.parse().ok()).unwrap_or(usual)
}

/// Starts a verb and waits until it has begun to change something, or has ended.
fn begin(world: &Installation, verb: &str) -> Child {
    let before = world.leftovers().len();
    let mut child = world.start(verb);
    let give_up = Instant::now() + Duration::from_secs(120);
    while verb == "restore"
        && slots(&world.site).len() <= before
        && child.try_wait().unwrap().is_none()
    {
        assert!(Instant::now() < give_up, "it does not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn a_killed_restore_is_finished_or_taken_back_whole_with_its_files() {
    let world = Installation::new();
    let mut begun = {
        let mut child = begin(&world, "restore");
        let begun = Instant::now();
        assert!(child.wait().unwrap().success());
        begun.elapsed()
    };
    world.is(&world.new, "a restore that is left alone");
    assert_eq!(world.run("undo").code, 0);
    world.is(&world.old, "and taken back");
    world.forget_all("and forgotten");

    let seed = seed(21);
    let mut random = fastrand::Rng::with_seed(seed);
    let wanted = rounds(6, 200);
    let (mut counted, mut tried, mut finished, mut twice) = (0, 0, 0, 0);
    while counted < wanted {
        tried += 1;
        assert!(
            tried <= 3 * wanted,
            "only {counted} of {tried} kills met unfinished work"
        );
        let what = format!("seed {seed}, try {tried}");
        let mut child = begin(&world, "restore");
        // The end is short, and the more interesting.
        let share = match random.bool() {
            true => random.f64(),
            false => 1.0 - 0.4 * random.f64() * random.f64(),
        };
        std::thread::sleep(begun.mul_f64(share));
        // It may have ended, and the next is to be caught in time.
        let _ = child.kill();
        if child.wait().unwrap().code().is_some() {
            begun = begun.mul_f64(0.9);
        }
        counted += u32::from(world.open_runs() > 0);
        // What somebody sees at once: tables and files of one kind or the other, never a mixture.
        // The server may still be at the one statement that exchanges them.
        let give_up = Instant::now() + Duration::from_secs(30);
        while ![&world.old.sums, &world.new.sums].contains(&&world.sums()) {
            assert!(Instant::now() < give_up, "{what}: {}", world.sums());
            std::thread::sleep(Duration::from_millis(50));
        }
        let files = world.files();
        assert!(
            files == world.old.files || files == world.new.files,
            "{what}: {files}"
        );

        let verb = if tried % 2 == 0 { "resume" } else { "undo" };
        let what = format!("{what}, {share:.3}, {verb}");
        if random.u8(..3) == 0 {
            // The second attempt dies as well.
            let mut child = begin(&world, verb);
            std::thread::sleep(begun.mul_f64(random.f64() * 0.7));
            let _ = child.kill();
            child.wait().unwrap();
            twice += 1;
        }
        let said = world.run(verb);
        // 2: nothing is left to do; 3: there was nothing yet that could be resumed.
        let expected: &[i32] = if verb == "resume" {
            &[0, 2, 3]
        } else {
            &[0, 2]
        };
        assert!(expected.contains(&said.code), "{what}: {said:?}");
        let is_new = world.is_new(&format!("{what}: {said:?}"));
        assert!(verb == "resume" || !is_new, "{what}: {said:?}");
        assert!(said.code != 3 || !is_new, "{what}: {said:?}");
        assert!(
            said.code != 0 || is_new == (verb == "resume"),
            "{what}: {said:?}"
        );
        assert_eq!(world.open_runs(), 0, "{what}: {said:?}");
        finished += u32::from(is_new);
        if is_new {
            let said = world.run("undo");
            assert_eq!(said.code, 0, "{what}: {said:?}");
            world.is(&world.old, &what);
        }
        world.forget_all(&what);
        assert_eq!(world.sums(), world.old.sums, "{what}");
        println!("{what}: {counted} kills so far met unfinished work");
    }
    world.is(&world.old, "after all of them");
    println!(
        "seed {seed}: {counted} of {tried} kills met unfinished work of {begun:?}; \
         {finished} were finished, {twice} died once more"
    );
}
