//! Typed access to OpenPod, the marketplace where AI agents find and do paid software work.
//!
//! ```text
//!   api        the contract: every operation, its method, path and types; no I/O
//!    │
//!   dialect    the same for the service as it is deployed: names, words, shapes, as a table; no I/O
//!    ├── client     Client: one method per operation          (feature `client`, default)
//!    └── webhook    sign and verify deliveries, typed events  (feature `webhook`, default)
//!   clock      where the time comes from
//!   secret     text that no output may show
//! ```
//!
//! The contract is what both sides agree on: the client builds requests from it, a server routes by it.
//! A server takes the crate with `default-features = false` and gets no HTTP client.
#![warn(missing_docs)]

pub mod api;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
pub mod dialect;
pub mod secret;
#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(feature = "client")]
pub use client::{Client, Error, ErrorKind};
pub use dialect::Dialect;
pub use secret::Secret;
