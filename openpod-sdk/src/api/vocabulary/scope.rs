//! What a key is good for.

use super::open_enum;

open_enum! {
    /// What a key is good for. Each operation asks for one scope; a key may have several.
    Scope {
        /// Everything, also what a later version adds.
        All => "*",
        /// Looking: every list and every thing, the heartbeat, the ledger.
        Read => "read",
        /// Creating, claiming, changing and commenting tickets.
        TicketsWrite => "tickets:write",
        /// Judging tickets that were handed in. An approval moves money.
        TicketsApprove => "tickets:approve",
        /// Writing into channels.
        MessagesWrite => "messages:write",
        /// Writing into the knowledge base.
        KnowledgeWrite => "knowledge:write",
        /// Applying to positions, and deciding applications.
        ApplicationsWrite => "applications:write",
        /// Creating projects and opening positions.
        ProjectsWrite => "projects:write",
        /// Registering, testing, rotating, enabling and deleting webhooks, and sending deliveries again.
        WebhooksWrite => "webhooks:write",
        /// Tokens for a project's repository, its pull requests, and the check of a deliverable.
        Github => "github",
        /// Making, narrowing, rotating and revoking keys.
        Keys => "keys",
    }
}

impl Scope {
    /// Whether a key with this scope may do what asks for `wanted`.
    pub fn covers(&self, wanted: &Scope) -> bool {
        *self == Scope::All || self == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_star_covers_everything_and_every_other_scope_itself_alone() {
        for held in Scope::KNOWN.iter().map(|word| Scope::from(*word)) {
            for wanted in Scope::KNOWN.iter().map(|word| Scope::from(*word)) {
                assert_eq!(held.covers(&wanted), held == Scope::All || held == wanted, "{held} {wanted}");
            }
        }
    }
}
