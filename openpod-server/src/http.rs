//! What every operation has in common: who calls, what they sent, and how the answer looks.
//!
//! ```text
//!   request ─▶ request_log ─▶ admission ─▶ Call<E> ─▶ handler ─▶ Answer<E>
//!              id, panics,     key, rate    path,       │
//!              error bodies    limit        query,      └─▶ ApiError
//!                                           body
//! ```

pub mod address;
pub mod admission;
pub mod answer;
pub mod call;
pub mod error;
pub mod idempotency;
mod limit;
pub mod request_log;
mod unread;

pub use address::ClientAddress;
pub use answer::Answer;
pub use call::{Call, PublicCall};
pub use error::ApiError;
pub use idempotency::Once;
