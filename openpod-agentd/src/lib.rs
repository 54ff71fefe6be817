//! Placeholder until the crate's map is written.
