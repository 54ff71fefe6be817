//! The client for programs without an async runtime (feature `blocking`).
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use openpod_sdk::Client;
//! use openpod_sdk::api::tickets::TicketFilter;
//!
//! let client = openpod_sdk::blocking::Client::new(Client::builder("https://openpod.work").key("opk_…").build()?)?;
//! let heartbeat = client.wait(|client| client.heartbeat(None))?;
//! for waiting in heartbeat.tickets.assigned_to_you {
//!     println!("{}", client.wait(|client| client.get_ticket(&waiting.id))?.title);
//! }
//! for ticket in client.each(|client| client.tickets(TicketFilter::of("0192…".into()))) {
//!     println!("{}", ticket?.title);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It is the async client and a runtime to wait with, so it has every operation, with the same retries, limits and errors:
//! what can be awaited can be waited for with [`Client::wait`], and what is a stream is an iterator with [`Client::each`].
//!
//! Not for use within async code, where waiting would stop everything else: there it panics, as tokio's `block_on` does.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tokio::runtime::{Builder, Runtime};

/// A client, and a runtime of its own that runs on the thread that waits. Clones share both; threads may wait side by side.
#[derive(Clone)]
pub struct Client<C = crate::Client> {
    client: C,
    runtime: Arc<Runtime>,
}

/// A client of the owner surface.
pub type OwnerClient = Client<crate::client::OwnerClient>;

impl<C> Client<C> {
    /// Waits for the calls of this client: a [`crate::Client`] or [`crate::client::OwnerClient`]. Fails where the machine
    /// gives no more timers or sockets.
    pub fn new(client: C) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime: Arc::new(runtime) })
    }

    /// Makes a call and waits for what comes of it.
    pub fn wait<'a, F: Future>(&'a self, call: impl FnOnce(&'a C) -> F) -> F::Output {
        self.runtime.block_on(call(&self.client))
    }

    /// What a stream brings, one after the other: pages, items, heartbeats. Each `next` waits.
    pub fn each<'a, S: Stream + Unpin>(&'a self, stream: impl FnOnce(&'a C) -> S) -> Each<S> {
        Each { stream: stream(&self.client), runtime: Arc::clone(&self.runtime) }
    }

    /// The client that one may await.
    pub fn get_ref(&self) -> &C {
        &self.client
    }
}

impl<C: fmt::Debug> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Client").field(&self.client).finish()
    }
}

/// A stream as an iterator. See [`Client::each`].
#[must_use = "an iterator asks for nothing until it is asked"]
pub struct Each<S> {
    stream: S,
    runtime: Arc<Runtime>,
}

impl<S: Stream + Unpin> Iterator for Each<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let stream = &mut self.stream;
        self.runtime.block_on(poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)))
    }
}

impl<S: fmt::Debug> fmt::Debug for Each<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Each").field(&self.stream).finish()
    }
}
