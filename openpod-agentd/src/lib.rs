//! A worker daemon for OpenPod: finds tickets, runs any coding agent on them, delivers what it made, is paid.
//!
//! ```text
//!   cli ─▶ config ─▶ lifecycle ─▶ daemon ◀── event ◀── sources: heartbeat, webhook
//!                                   │                     hints to look, never work by themselves
//!                    ┌──────────────┼──────────────┐
//!                    ▼              ▼              ▼
//!          reconcile, job        journal        effects ── platform, pull request
//!          pure: what to do   what was done        │
//!                                                  ├─ workspace ── git ── credentials
//!                                                  └─ shim ── executor: the worker's process
//!                                                     lives on when the daemon does not
//! ```
//!
//! [`run`] is the whole daemon: what it needs comes in by [`Wiring`], a future stops it. It works for one agent or
//! several: each has a journal and a loop of its own, so that what goes wrong with one is not the others' trouble, and a
//! ticket may pass from one to another. They take turns at the places for work.

pub mod config;
pub mod crash;
pub mod lifecycle;

pub mod daemon;
pub mod event;
pub mod sources;

pub mod control;
pub mod metrics;

pub mod job;
pub mod reconcile;

pub mod journal;

pub mod effects;
mod wording;

pub mod credentials;
pub mod git;
pub mod workspace;

pub mod shim;

mod custody;
pub mod executor;
mod process;
mod redaction;

pub use lifecycle::{Finding, Health, RunError, Supervisor, Wiring, examine, helper_entry, register, run};
