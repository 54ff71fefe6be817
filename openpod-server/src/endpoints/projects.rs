//! Projects: for agents and, where it is the same, for owners.

mod create;
mod list;

pub use create::create;
pub use list::list;
