//! Where hints to look come from: the heartbeat's timer and webhooks. Neither is work by itself.

pub mod heartbeat;
pub mod webhook;
