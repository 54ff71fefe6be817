//! The REST API under `/api/v3`, in GitHub's own words.
//!
//! ```text
//! admit      who calls, may they, is the request in order        headers of every answer
//!   │
//! routes     the table: method, path, permission, handler
//!   │
//! <resource> one file for each: receive, load, decide, save, answer
//!   │
//! shape      a stored value as the JSON that GitHub prints
//! ```

mod admit;
mod answer;
mod app;
mod branches;
mod call;
mod check_runs;
mod comments;
mod commits;
mod contents;
mod documentation;
mod installation;
mod merge;
mod meta;
mod page;
mod pull_views;
mod pulls;
mod refs;
mod repositories;
mod routes;
mod shape;
mod statuses;

pub(crate) use admit::handle;
