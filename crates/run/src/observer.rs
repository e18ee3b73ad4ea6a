//! Typed events on their way out of an engine.

use std::sync::Arc;

/// Somebody who wants to know what an engine of events `E` is doing.
///
/// The engine calls it in line, on its own task: return quickly, and never block. The default
/// does nothing, and `()` is the observer who does not care.
pub trait Observer<E>: Send + Sync {
    /// Something happened.
    fn on(&self, event: &E) {
        let _ = event;
    }
}

impl<E> Observer<E> for () {}

impl<E, T: Observer<E> + ?Sized> Observer<E> for &T {
    fn on(&self, event: &E) {
        (**self).on(event);
    }
}

impl<E, T: Observer<E> + ?Sized> Observer<E> for Arc<T> {
    fn on(&self, event: &E) {
        (**self).on(event);
    }
}

/// A closure as an observer. (A blanket implementation for closures would collide with the ones
/// above.)
#[derive(Debug, Clone, Copy)]
pub struct FnObserver<F>(pub F);

impl<E, F: Fn(&E) + Send + Sync> Observer<E> for FnObserver<F> {
    fn on(&self, event: &E) {
        (self.0)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn work(observer: &dyn Observer<u32>) {
        observer.on(&1);
        observer.on(&2);
    }

    #[test]
    fn closures_references_and_arcs_all_hear_every_event_in_order() {
        let heard = Mutex::new(Vec::new());
        let listen = FnObserver(|event: &u32| heard.lock().unwrap().push(*event));
        work(&listen);
        work(&&listen);
        work(&Arc::new(listen));
        work(&());
        assert_eq!(*heard.lock().unwrap(), [1, 2, 1, 2, 1, 2]);
    }
}
