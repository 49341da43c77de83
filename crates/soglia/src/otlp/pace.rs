//! When to send, when to try again, and when it is over.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The wait before the second try. Each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest of these waits, if the receiver asks for no longer one.
const LONGEST: Duration = Duration::from_secs(30);

/// The end that both threads wait for.
#[derive(Debug, Default)]
pub struct End {
    until: Mutex<Option<Instant>>,
    came: Condvar,
}

impl End {
    /// From now on there is nothing new, and until then everything should be sent.
    pub fn comes(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.came.notify_all();
    }

    /// Whether it has come, and until when to send.
    pub fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until the end comes that has not come yet.
    pub fn wait(&self, time: Duration) {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match *until {
            Some(end) => {
                drop(until);
                std::thread::sleep(time.min(end.saturating_duration_since(Instant::now())));
            }
            None => {
                let waited = self
                    .came
                    .wait_timeout_while(until, time, |until| until.is_none());
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

/// The waits between tries.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait: as long as the receiver asks for, or longer each time. Several tools that
    /// wait for one receiver do not all come back at the same moment.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries += 1;
        let random = RandomState::new().hash_one(0) % 1000;
        // From 0.75 to 1.25 of it.
        let wait = doubled.mul_f64(0.75 + random as f64 / 2000.0);
        wait.max(asked.unwrap_or_default())
    }

    /// A request was answered.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest_and_obey_the_receiver() {
        let mut backoff = Backoff::default();
        for exact in [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000] {
            let wait = backoff.next(None).as_millis();
            assert!(
                (exact * 3 / 4..=exact * 5 / 4).contains(&wait),
                "{wait} of {exact}"
            );
        }
        let asked = Duration::from_secs(100);
        assert_eq!(backoff.next(Some(asked)), asked);
        backoff.reset();
        assert!(backoff.next(Some(Duration::ZERO)) < Duration::from_secs(1));
    }

    #[test]
    fn a_wait_is_over_when_the_end_comes() {
        let end = End::default();
        std::thread::scope(|scope| {
            scope.spawn(|| end.wait(Duration::from_secs(3600)));
            end.comes(Instant::now());
        });
        assert!(end.until().is_some());
        end.wait(Duration::from_secs(3600));
    }
}
