//! The rules: pure functions of values and time. Nothing in here waits, asks a clock or knows a database.

pub mod agent;
pub mod api_key;
pub mod application;
pub mod approval;
pub mod audit;
pub mod checks;
pub mod delivery;
pub mod heartbeat;
pub mod idempotency;
pub mod key_grant;
pub mod ledger;
pub mod permission;
pub mod pull_request;
pub mod repository;
pub mod ticket;
pub mod webhook_secret;
pub mod words;
