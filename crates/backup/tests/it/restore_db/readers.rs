//! Somebody who reads all the time: he sees the old table or the new one, never none and never a part
//! of one, and each change once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use elpis_backup::archive::Container;
use elpis_mysql::{Params, Session, SessionSettings};

use super::{Bench, backup, create, mariadb, of_archive, policy, server};

/// Counts rows until told to stop: each count that differs from the one before, and the longest
/// time that one answer took.
async fn read(stop: &AtomicBool) -> (Vec<u64>, Duration) {
    let (options, settings) = (server().options(), SessionSettings::default());
    let mut session = Session::open(&options, &settings).await.unwrap();
    let (mut seen, mut longest) = (Vec::new(), Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let sql = "SELECT COUNT(*) FROM readers.samples";
        let count: Option<u64> = session.first(sql, Params::Empty).await.unwrap();
        longest = longest.max(begun.elapsed());
        if seen.last() != count.as_ref() {
            seen.extend(count);
        }
    }
    (seen, longest)
}

#[test]
fn a_reader_sees_the_old_or_the_new_and_never_nothing() {
    let socket = server().socket();
    create(socket, "readers");
    let (_world, path) = backup(&server().options(), &["readers"], Container::TarZst);
    mariadb(socket, "readers", "DELETE FROM samples WHERE m > 3");
    let left = mariadb(socket, "readers", "SELECT COUNT(*) FROM samples");
    let left: u64 = left.trim().parse().unwrap();
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let stop = AtomicBool::new(false);
    let (seen, longest) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(read(&stop))
        });
        let run = bench.run(&policy("readers"), &text).unwrap().run.unwrap();
        std::thread::sleep(Duration::from_millis(200));
        bench.restore(None).undo(run).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    println!("the longest answer took {longest:?}");
    assert_eq!(seen, [left, 8000, left]);
}
