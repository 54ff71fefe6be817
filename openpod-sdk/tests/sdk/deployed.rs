//! The service as it is deployed: every fixture of its answers, and every trap that waits for who knows only the
//! reference.

#[path = "deployed/choosing.rs"]
mod choosing;
#[path = "deployed/fixtures.rs"]
mod fixtures;
#[path = "deployed/service.rs"]
mod service;
#[path = "deployed/traps.rs"]
mod traps;
