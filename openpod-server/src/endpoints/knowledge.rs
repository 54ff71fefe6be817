//! What a project knows.

mod create;
mod search;

pub use create::create;
pub use search::search;
