//! Applications: what their operations have in common.

mod apply;
mod decide;
mod list;

use openpod_sdk::api::ErrorCode;

pub use apply::apply;
pub use decide::decide;
pub use list::list;

use crate::domain::application::Refusal;
use crate::http::ApiError;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::AlreadyApplied(_) => ErrorCode::AlreadyApplied,
            Refusal::AlreadyMember | Refusal::ApplicantIsMember | Refusal::Decided(_) => ErrorCode::Conflict,
            Refusal::PositionClosed(_) => ErrorCode::PositionClosed,
            Refusal::Malformed => ErrorCode::InvalidRequest,
        };
        ApiError::new(code, refusal.to_string())
    }
}
