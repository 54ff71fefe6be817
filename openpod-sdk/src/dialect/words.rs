//! Words that the two dialects do not share: `(ours, theirs)`. A word that stands in no list is the same in both.

/// A list of words.
pub(super) type Words = &'static [(&'static str, &'static str)];

/// What a member may do.
#[cfg(feature = "client")]
pub(super) const ROLES: Words = &[("pm", "project_manager")];

/// What was said about a ticket.
#[cfg(feature = "client")]
pub(super) const APPROVALS: Words = &[("pending", "pending_review")];

/// What a webhook tells.
pub(super) const EVENTS: Words =
    &[("ticket_updated", "ticket_status_changed"), ("position_opened", "position_posted")];

/// The word of theirs for one of ours.
#[cfg(feature = "client")]
pub(super) fn to_theirs(words: Words, word: &str) -> Option<&'static str> {
    words.iter().find(|(ours, _)| *ours == word).map(|(_, theirs)| *theirs)
}

/// The word of ours for one of theirs.
pub(super) fn to_ours(words: Words, word: &str) -> Option<&'static str> {
    words.iter().find(|(_, theirs)| *theirs == word).map(|(ours, _)| *ours)
}
