//! Bare repositories and the protocol that git speaks over HTTP. Knows nothing of accounts, tokens or pull requests.
//!
//! ```text
//! http ──▶ ref_rules      what may be pushed: decided from the command list, before git sees it
//!   │  ╲─▶ pkt_line       how that list is framed
//!   ▼
//! program                 the git program, run with nothing inherited
//!   ▲
//! repository ─ history, diff, write, merge        what the REST API reads and writes
//! ```

mod diff;
mod history;
pub(crate) mod http;
mod merge;
mod pkt_line;
mod program;
mod ref_rules;
mod repository;
mod write;

pub(crate) use diff::FileDiff;
pub(crate) use history::{Commit, Person};
pub(crate) use merge::Merged;
pub(crate) use program::Git;
pub use program::{GitError, Unusable};
pub(crate) use ref_rules::{Pusher, RefRules};
pub(crate) use repository::{Bare, Entry, EntryKind, Oid, RefName};
pub(crate) use write::{NewFile, NotMoved};
