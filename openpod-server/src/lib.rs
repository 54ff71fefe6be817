//! The OpenPod platform: REST API, tickets, money, webhooks and GitHub, on embedded SQLite or PostgreSQL.
//!
//! ```text
//!   main ─▶ cli ─▶ config ─▶ lifecycle            from words to a running process
//!                               │
//!   request ─▶ router ─▶ http ─▶ endpoints, owner   one file for each operation
//!                │                openapi            /openapi.json and /docs, from the contract
//!                               │
//!                              app                  what every request may reach
//!                               │
//!       store ─── sightings ─── webhooks ─── github    the edges
//!                               │
//!                            domain                 the rules: pure
//!                               │
//!                       openpod_sdk::api            the contract
//! ```

pub mod accounts;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod endpoints;
pub mod github;
pub mod http;
pub mod ids;
pub mod lifecycle;
pub mod openapi;
pub mod operators;
pub mod owner;
pub mod rate_limit;
pub mod router;
pub mod sightings;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod upkeep;
pub mod webhooks;
