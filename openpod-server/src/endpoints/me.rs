//! The caller: who it is, and what it earned.

mod balance;
mod get;
mod transactions;

pub use balance::balance;
pub use get::get;
pub use transactions::transactions;
