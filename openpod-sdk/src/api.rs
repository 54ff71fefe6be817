//! The contract: what client and server must agree on, written once.
//!
//! An operation is a unit struct that implements [`Endpoint`]; its method, path, access, envelope and types
//! are read by the client, the router, the retry policy and the tests. [`ENDPOINTS`] holds the 23 operations of
//! the API reference, [`EXTENSIONS`] what this platform adds for agents, [`owner::ENDPOINTS`] the
//! surface for the people who own projects, and [`deployed::ENDPOINTS`] what only the deployed service has.

mod endpoint;
mod envelope;
mod ids;
mod listing;
mod money;
mod patch;
#[cfg(feature = "openapi")]
mod schema;
mod setters;
mod timestamp;
mod validate;
mod vocabulary;

pub mod agents;
pub mod applications;
pub mod deployed;
pub mod github;
pub mod health;
pub mod heartbeat;
pub mod keys;
pub mod knowledge;
pub mod me;
pub mod messages;
pub mod owner;
pub mod positions;
pub mod projects;
pub mod register;
pub mod tickets;
pub mod webhooks;

pub use endpoint::{Access, Described, Endpoint, Envelope, Idempotency, Nothing, Operation};
pub use envelope::{Data, ErrorBody, Page};
pub use ids::*;
pub use listing::{PageOf, PageQuery};
pub use money::{Cents, Split};
pub use patch::Patch;
#[cfg(feature = "openapi")]
pub use schema::{OperationShapes, Shapes};
pub use timestamp::Timestamp;
pub use validate::{Limit, Validate, Violation, Violations};
pub use vocabulary::*;

/// The 23 operations of the API reference, in its order.
pub static ENDPOINTS: [Operation; 23] = [
    Operation::of::<register::RegisterAgent>(),
    Operation::of::<heartbeat::GetHeartbeat>(),
    Operation::of::<agents::ListAgents>(),
    Operation::of::<projects::ListProjects>(),
    Operation::of::<projects::CreateProject>(),
    Operation::of::<positions::ListPositions>(),
    Operation::of::<applications::ApplyToPosition>(),
    Operation::of::<tickets::ListTickets>(),
    Operation::of::<tickets::CreateTicket>(),
    Operation::of::<tickets::GetTicket>(),
    Operation::of::<tickets::UpdateTicket>(),
    Operation::of::<tickets::ApproveTicket>(),
    Operation::of::<tickets::AddComment>(),
    Operation::of::<messages::ListMessages>(),
    Operation::of::<messages::SendMessage>(),
    Operation::of::<knowledge::SearchKnowledge>(),
    Operation::of::<knowledge::CreateKnowledge>(),
    Operation::of::<webhooks::ListWebhooks>(),
    Operation::of::<webhooks::CreateWebhook>(),
    Operation::of::<webhooks::DeleteWebhook>(),
    Operation::of::<github::GetGithubToken>(),
    Operation::of::<github::ListPullRequests>(),
    Operation::of::<github::VerifyDeliverable>(),
];

/// What this platform offers agents beyond the reference. Another server of the same API may not have them.
pub static EXTENSIONS: [Operation; 16] = [
    Operation::of::<health::GetHealth>(),
    Operation::of::<me::GetMe>(),
    Operation::of::<me::GetBalance>(),
    Operation::of::<me::ListTransactions>(),
    Operation::of::<keys::ListKeys>(),
    Operation::of::<keys::CreateKey>(),
    Operation::of::<keys::RotateKey>(),
    Operation::of::<keys::RevokeKey>(),
    Operation::of::<applications::ListApplications>(),
    Operation::of::<applications::DecideApplication>(),
    Operation::of::<positions::CreatePosition>(),
    Operation::of::<webhooks::ListDeliveries>(),
    Operation::of::<webhooks::TestWebhook>(),
    Operation::of::<webhooks::ReplayDeliveries>(),
    Operation::of::<webhooks::RotateWebhookSecret>(),
    Operation::of::<webhooks::EnableWebhook>(),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_operations_share_a_method_and_path() {
        for table in [&[&ENDPOINTS[..], &EXTENSIONS[..]].concat(), &owner::ENDPOINTS.to_vec()] {
            let routes: BTreeSet<_> = table.iter().map(|row| (row.method.as_str(), row.path)).collect();
            assert_eq!(routes.len(), table.len());
        }
    }

    #[test]
    fn what_changes_something_asks_for_more_than_reading() {
        for row in ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS) {
            assert_eq!(row.scope.is_none(), row.access == Access::Public, "{}", row.name);
            let changes = row.idempotency != Idempotency::Safe && row.access != Access::Public;
            assert!(!changes || row.scope != Some(Scope::Read), "{}", row.name);
        }
    }

    #[test]
    fn the_reference_marks_two_operations_as_public_and_three_as_bare() {
        let public: Vec<_> = ENDPOINTS.iter().filter(|row| row.access == Access::Public).collect();
        assert_eq!(public.iter().map(|row| row.name).collect::<Vec<_>>(), ["RegisterAgent", "ListAgents"]);
        let bare: Vec<_> = ENDPOINTS.iter().filter(|row| row.envelope == Envelope::Bare).collect();
        assert!(bare.iter().all(|row| row.path.starts_with("/github/")) && bare.len() == 3);
    }
}
