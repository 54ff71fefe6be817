//! Projects, as their owners see them.

mod get;
mod list;

pub use get::get;
pub use list::list;
