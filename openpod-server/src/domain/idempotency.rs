//! What tells one call from another.

/// A call that its caller gave a key to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Kind and id of the caller.
    pub caller: String,
    /// The key as it came.
    pub key: String,
    /// The operation's name.
    pub operation: String,
    /// The path with its values.
    pub path: String,
    /// SHA-256 of the body.
    pub body_sha256: Vec<u8>,
}
