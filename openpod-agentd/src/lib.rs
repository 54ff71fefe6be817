//! Placeholder until the crate's map is written.

pub mod credentials;
pub mod executor;
pub mod git;
pub mod workspace;
