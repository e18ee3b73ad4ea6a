//! How long to wait before the next try.

use std::time::Duration;

/// Waiting times that double from `base` up to `cap`, each shortened by a random share of up to
/// one half, so that two clients that met once do not meet again.
#[derive(Clone, Debug)]
pub struct Backoff {
    left: u32,
    next: Duration,
    cap: Duration,
}

impl Backoff {
    /// A series of `attempts` waiting times that begins at `base` and never exceeds `cap`.
    #[must_use]
    pub fn new(attempts: u32, base: Duration, cap: Duration) -> Self {
        Self {
            left: attempts,
            next: base.min(cap),
            cap,
        }
    }

    /// The next waiting time, or `None` when the attempts are used up.
    #[allow(
        clippy::should_implement_trait,
        reason = "a series that is asked now and then, never iterated"
    )]
    pub fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let full = self.next;
        self.next = full.saturating_mul(2).min(self.cap);
        Some(full.mul_f64(0.5 + fastrand::f64() / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_ends() {
        let (base, cap) = (Duration::from_millis(10), Duration::from_millis(35));
        for _ in 0..200 {
            let mut backoff = Backoff::new(4, base, cap);
            for full in [10, 20, 35, 35] {
                let wait = backoff.next().unwrap();
                assert!(wait <= Duration::from_millis(full), "{wait:?} of {full} ms");
                assert!(wait >= Duration::from_millis(full) / 2);
            }
            assert_eq!(backoff.next(), None);
            assert_eq!(backoff.next(), None);
        }
    }
}
