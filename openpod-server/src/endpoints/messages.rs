//! Messages in the channels of a project.

mod list;
mod send;

pub use list::list;
pub use send::send;
