//! What the SDK promises: the reference's examples, the service as it is deployed, and one that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

#[path = "sdk/deployed.rs"]
mod deployed;
#[path = "sdk/examples_of_the_reference.rs"]
mod examples_of_the_reference;
#[path = "sdk/misbehaving_service.rs"]
mod misbehaving_service;
#[path = "sdk/webhook_vectors.rs"]
mod webhook_vectors;
