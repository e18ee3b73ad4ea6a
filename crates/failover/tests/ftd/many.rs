//! Many cases at a time, none of which may hang unnamed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// How many run side by side: they mostly wait for terminals to rest.
const SIDE_BY_SIDE: usize = 12;
/// No case takes so long, on however busy a machine: what does hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What is under way on other threads, and since when.
#[derive(Clone, Default)]
struct UnderWay(Arc<Mutex<BTreeMap<String, Instant>>>);

/// One of them, until it is dropped: at its end, or because it panicked.
struct Entry<'a>(&'a UnderWay, String);

impl UnderWay {
    fn enter(&self, name: String) -> Entry<'_> {
        let begun = Instant::now();
        self.0.lock().unwrap().insert(name.clone(), begun);
        Entry(self, name)
    }

    fn hangs(&self) -> Option<String> {
        let begun = self.0.lock().unwrap();
        let mut hang = begun.iter().filter(|(_, at)| at.elapsed() > 2 * PATIENCE);
        hang.next().map(|(name, _)| name.clone())
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let begun = self.0.0.lock().unwrap().remove(&self.1);
        eprintln!("{}: {:?}", self.1, begun.unwrap().elapsed());
    }
}

/// The same on two threads, for a soak: each has every other item. Says how long each took, and
/// fails with the name of one that hangs, even if it never lets go of its thread.
pub(crate) fn on_two_threads<I: Display + Send + 'static, T: Send + 'static>(
    items: Vec<I>,
    work: impl AsyncFn(I) -> T + Copy + Send + 'static,
) -> Vec<T> {
    let mut halves = [Vec::new(), Vec::new()];
    for (index, item) in items.into_iter().enumerate() {
        halves[index % 2].push(item);
    }
    let under_way = UnderWay::default();
    let threads = halves.map(|half| {
        let under_way = under_way.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(side_by_side(half, async move |item: I| {
                let _entry = under_way.enter(item.to_string());
                work(item).await
            }))
        })
    });
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        std::thread::sleep(Duration::from_millis(10));
        if let Some(name) = under_way.hangs() {
            panic!("{name} hangs, and its thread with it");
        }
    }
    let mut results = Vec::new();
    for thread in threads {
        match thread.join() {
            Ok(half) => results.extend(half),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    results
}

/// Runs `work` on each item, several at a time, and returns what came of them in any order.
pub(crate) async fn side_by_side<I: 'static, T: 'static>(
    items: impl IntoIterator<Item = I>,
    work: impl AsyncFn(I) -> T + 'static,
) -> Vec<T> {
    let room = Rc::new(Semaphore::new(SIDE_BY_SIDE));
    let results = Rc::new(RefCell::new(Vec::new()));
    let work = Rc::new(work);
    let local = LocalSet::new();
    let mut begun = Vec::new();
    for item in items {
        let (room, results) = (Rc::clone(&room), Rc::clone(&results));
        let work = Rc::clone(&work);
        begun.push(local.spawn_local(async move {
            let _place = room.acquire().await.unwrap();
            let result = work(item).await;
            results.borrow_mut().push(result);
        }));
    }
    local.await;
    for work in begun {
        // What panicked there has to fail here.
        if let Err(panic) = work.await {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
    results.take()
}
