//! Where the time comes from: passed in, so that tests can move it.

/// A source of the current time. Any `Fn() -> jiff::Timestamp` is one:
///
/// ```
/// use std::sync::Arc;
/// use openpod_forge::Clock;
///
/// let standing: Arc<dyn Clock> = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
/// assert_eq!(standing.now().as_second(), 0);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> jiff::Timestamp;
}

impl<F: Fn() -> jiff::Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> jiff::Timestamp {
        self()
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}
