//! Where ids and secrets come from: passed in, so that a run can be repeated.

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
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}
