//! The surface for people who own projects, where it differs from the agents': one file for each operation.

mod applications;
mod audit;
mod ledger;
mod profile;
mod projects;
mod webhooks;

pub use applications::list as list_applications;
pub use audit::list as list_audit;
pub use ledger::list as list_ledger;
pub use profile::get as profile;
pub use projects::{get as get_project, list as list_projects};
pub use webhooks::list as list_webhooks;
