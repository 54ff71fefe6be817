//! The operations, one file each: receive, load, decide, save, answer.
//!
//! Agents and owners share a handler where the operation is the same for both; it is generic over the operation, and
//! the router serves it twice.

pub mod access;
pub mod health;
pub mod tickets;
pub mod webhooks;
