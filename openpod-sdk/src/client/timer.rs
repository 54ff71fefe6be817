//! How a client waits and measures how long something took: passed in, so that tests can move it.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// A future in a box. Where there are threads it can go to any of them.
#[cfg(not(target_family = "wasm"))]
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// A future in a box. Where there are threads it can go to any of them.
#[cfg(target_family = "wasm")]
pub type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What a client measures and waits by.
pub trait Timer: Send + Sync + 'static {
    /// How much time has passed since some moment that stays the same. It never goes back.
    fn now(&self) -> Duration;

    /// Ready when so much time has passed.
    fn sleep(&self, pause: Duration) -> Boxed<()>;
}

/// The clock of the tokio runtime, which `tokio::time::pause` stops in tests.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone, Copy)]
pub struct SystemTimer(tokio::time::Instant);

#[cfg(not(target_family = "wasm"))]
impl Default for SystemTimer {
    fn default() -> Self {
        Self(tokio::time::Instant::now())
    }
}

#[cfg(not(target_family = "wasm"))]
impl Timer for SystemTimer {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, pause: Duration) -> Boxed<()> {
        Box::pin(tokio::time::sleep(pause))
    }
}

/// The clock of the browser.
#[cfg(target_family = "wasm")]
#[derive(Debug, Clone, Copy)]
pub struct SystemTimer(web_time::Instant);

#[cfg(target_family = "wasm")]
impl Default for SystemTimer {
    fn default() -> Self {
        Self(web_time::Instant::now())
    }
}

#[cfg(target_family = "wasm")]
impl Timer for SystemTimer {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    /// At most 24 days: a browser cannot wait longer.
    fn sleep(&self, pause: Duration) -> Boxed<()> {
        let longest = i32::MAX as u32;
        let millis = u32::try_from(pause.as_millis()).unwrap_or(longest).min(longest);
        Box::pin(gloo_timers::future::TimeoutFuture::new(millis))
    }
}

/// What the future comes to, or `None` when it takes longer. What is ready at once costs no timer.
pub(super) async fn within<T>(
    timer: &dyn Timer,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut alarm = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        alarm.get_or_insert_with(|| timer.sleep(limit)).as_mut().poll(cx).map(|()| None)
    })
    .await
}
