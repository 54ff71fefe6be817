//! What the SDK promises: the reference's examples, the service as it is deployed, and one that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

#[cfg(feature = "blocking")]
#[path = "sdk/blocking.rs"]
mod blocking;
#[path = "sdk/calls.rs"]
mod calls;
#[path = "sdk/calls_page.rs"]
mod calls_page;
#[path = "sdk/deployed.rs"]
mod deployed;
#[path = "sdk/examples_of_the_reference.rs"]
mod examples_of_the_reference;
#[path = "sdk/fuzz.rs"]
mod fuzz;
#[path = "sdk/misbehaving_service.rs"]
mod misbehaving_service;
#[path = "sdk/no_secret_in_sight.rs"]
mod no_secret_in_sight;
#[path = "sdk/patience.rs"]
mod patience;
#[cfg(feature = "axum")]
#[path = "sdk/receiving.rs"]
mod receiving;
#[path = "sdk/streams.rs"]
mod streams;
#[path = "sdk/webhook_vectors.rs"]
mod webhook_vectors;
