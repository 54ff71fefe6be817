//! Where ids and secrets come from: passed in, so that a run can be repeated.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// A new id: a UUID of version 7, which sorts by the time it was made.
pub fn new_id(randomness: &dyn Randomness, now: Timestamp) -> String {
    let mut random = [0; 10];
    randomness.fill(&mut random);
    id(now, &random)
}

/// Makes ids that sort in the order they were made, also those of one millisecond; of these up to 4096.
#[derive(Debug, Default)]
pub struct Sequence(AtomicU64);

impl Sequence {
    /// The next id.
    pub fn next_id(&self, randomness: &dyn Randomness, now: Timestamp) -> String {
        let mut random = [0; 10];
        randomness.fill(&mut random);
        let first = millis(now) << COUNTER_BITS;
        let place = |last: u64| if last ^ first < 1 << COUNTER_BITS { last + 1 } else { first };
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(place(last)));
        let count = place(last.unwrap_or_default()) % (1 << COUNTER_BITS);
        random[..2].copy_from_slice(&(count as u16).to_be_bytes());
        id(now, &random)
    }
}

/// An id has 12 bits between its time and its random part.
const COUNTER_BITS: u32 = 12;

fn id(now: Timestamp, random: &[u8; 10]) -> String {
    uuid::Builder::from_unix_timestamp_millis(millis(now), random).into_uuid().to_string()
}

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
        assert!(ids.iter().chain([&new_id(&SystemRandomness, now)]).all(|id| id.as_bytes()[14] == b'7'));
    }
}
