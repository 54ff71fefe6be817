//! The operations, one file each: receive, load, decide, save, answer.
//!
//! Agents and owners share a handler where the operation is the same for both; it is generic over the operation, and
//! the router serves it twice.

pub mod access;
pub mod agents;
pub mod applications;
pub mod github;
pub mod health;
pub mod heartbeat;
pub mod keys;
pub mod knowledge;
pub mod me;
pub mod messages;
pub mod positions;
pub mod projects;
pub mod register;
pub mod tickets;
pub mod webhooks;
