//! A local, GitHub-compatible forge: git over HTTP, GitHub Apps, and the REST API below `/api/v3`.
//!
//! ```text
//!   git, octokit, a browser
//!            │
//!         router ──────────── faults     misbehaviour on request, for tests
//!   ┌────────┼────────┐
//! rest   transport  pages                the REST API; git's protocol; HTML
//!   └────────┼────────┘
//!          forge                         accounts, Apps, repositories; pull requests follow their branches
//!   ┌────────┼────────┐
//!  auth     git     store                who calls; bare repositories; one SQLite file
//! ```
//!
//! ```no_run
//! use std::sync::Arc;
//! use openpod_forge::{Forge, ForgeConfig, Permissions, Seed, SystemClock};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let web_url = format!("http://{}", listener.local_addr()?).parse()?;
//! let config = ForgeConfig { data_dir: "forge-data".into(), web_url, long_tokens: false };
//! let forge = Forge::open(config, Arc::new(SystemClock)).await?;
//! let app = forge.ensure_app("openpod", Permissions::for_agents()).await?;
//! forge.create_repository("acme", "shop", Seed::new().file("README.md", "A shop.\n")).await?;
//! forge.install(app.app_id, "acme").await?;
//! openpod_forge::serve(listener, forge, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

mod clock;
mod faults;
mod permission;

mod auth;
mod git;
mod store;

mod forge;

mod pages;
mod rest;
mod router;
mod transport;

pub use auth::NoRandomness;
pub use clock::{Clock, SystemClock};
pub use faults::{Faults, Gate, Limit, Lost};
pub use forge::{AppCredentials, Forge, ForgeConfig, OpenError, Repository, Seed, SetupError};
pub use git::{GitError, Unusable};
pub use permission::{Level, Permissions};
pub use router::serve;
pub use store::StoreError;
