//! Where ids and secrets come from: passed in, so that a run can be repeated.

use std::sync::{Mutex, PoisonError};

use openpod_sdk::api::Timestamp;

/// A source of randomness.
pub trait Randomness: std::fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` so that nobody can guess them.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's own randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a machine without randomness cannot make keys and must not go on");
    }
}

/// Makes ids, UUIDs of version 7, that sort in the order they were made, also those of one millisecond; of these up to
/// 4096. They are unique, and nobody may take them for secrets: those of one millisecond share their random part, because
/// to ask the machine for each would cost more than the rest of a small request.
#[derive(Debug, Default)]
pub struct Sequence(Mutex<Last>);

/// The last id.
#[derive(Debug, Default)]
struct Last {
    /// Its milliseconds, followed by its place among those of the same.
    place: u64,
    random: [u8; 8],
}

impl Sequence {
    /// The next id.
    pub fn next_id(&self, randomness: &dyn Randomness, now: Timestamp) -> String {
        let first = millis(now) << COUNTER_BITS;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.place ^ first < 1 << COUNTER_BITS {
            last.place += 1;
        } else {
            last.place = first;
            randomness.fill(&mut last.random);
        }
        let mut rest = [0; 10];
        let count = last.place % (1 << COUNTER_BITS);
        rest[..2].copy_from_slice(&(count as u16).to_be_bytes());
        rest[2..].copy_from_slice(&last.random);
        uuid::Builder::from_unix_timestamp_millis(millis(now), &rest).into_uuid().to_string()
    }
}

/// An id has 12 bits between its time and its random part.
const COUNTER_BITS: u32 = 12;

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_micros() / 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_sequence_sort_in_the_order_they_were_made() {
        let now: Timestamp = "2026-03-12T10:30:00Z".parse().unwrap();
        let sequence = Sequence::default();
        let next = |time: Timestamp| sequence.next_id(&SystemRandomness, time);
        let mut ids: Vec<String> = (0..4000).map(|_| next(now)).collect();
        ids.extend((0..4000).map(|_| next(now.plus(std::time::Duration::from_millis(1)))));
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.as_bytes()[14] == b'7'));
    }
}
