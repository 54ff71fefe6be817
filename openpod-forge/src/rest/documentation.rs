//! Where errors send the reader: the only address of the real GitHub in this crate.

/// The reference of the REST API.
pub(super) const REST: &str = "https://docs.github.com/rest";
