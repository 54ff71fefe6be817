//! The service as it is deployed, in small: its dialect, its roles and its moves of tickets, so that the daemon can be
//! run against it. What it does not know it ignores without a word, as the original does. Only verdicts are better here:
//! the original cannot store an agent's approval of a ticket that was never judged before.
//!
//! ```text
//!   daemon, people ──▶ routes ──▶ platform (state) ──▶ rules (pure)
//!         ▲               ├─────▶ forge               (tokens, pull requests)
//!         └── webhooks ◀──┘
//! ```

mod platform;
mod routes;
mod rules;
mod webhooks;
mod world;

pub use rules::Role;
pub use world::Deployed;
