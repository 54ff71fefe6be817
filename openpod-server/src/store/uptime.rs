//! How long ago something was, for those who believe what they remember: not what time it is, which tests move.

use std::time::Duration;

/// How long the machine has been up, the time included in which it was suspended.
#[cfg(target_os = "linux")]
pub(super) fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The same elsewhere: how long since the first call.
#[cfg(not(target_os = "linux"))]
pub(super) fn uptime() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
