//! Tells what happens, when it happens, and names the step that fails.

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// No step of the story takes longer; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The teller.
pub struct Story {
    began: Instant,
}

/// A step that failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("{step} failed: {why}")]
pub struct Failed {
    step: String,
    why: String,
}

impl Story {
    pub fn begin() -> Self {
        Self { began: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Prints a line of the story.
    #[expect(clippy::print_stdout, reason = "the story is what this program is for")]
    pub fn tell(&self, who: &str, what: impl Display) {
        println!("{:>7.2} s  {who:<9} {what}", self.elapsed().as_secs_f64());
    }

    /// Prints the table at the end.
    #[expect(clippy::print_stdout, reason = "the story is what this program is for")]
    pub fn table(&self, rows: &super::table::Rows) {
        println!();
        for (name, value) in &rows.rows {
            println!("  {name:<14} {value}");
        }
        println!("\n  all of it in {:.1} s", self.elapsed().as_secs_f64());
    }

    /// Prints why the story ended early.
    #[expect(clippy::print_stderr, reason = "a failure goes where failures go")]
    pub fn complain(&self, failed: &Failed) {
        eprintln!("{:>7.2} s  {failed}", self.elapsed().as_secs_f64());
    }

    /// Takes a step; an error or a long silence becomes the failure of this step.
    pub async fn step<T, E>(
        &self,
        step: &str,
        action: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failed>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let failed = |why: String| Failed { step: step.to_owned(), why };
        match tokio::time::timeout(PATIENCE, action).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failed(with_causes(&*error.into()))),
            Err(_) => Err(failed(format!("nothing happened for {} s", PATIENCE.as_secs()))),
        }
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
