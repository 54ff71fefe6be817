//! stub
use super::answer::{Answer, ApiError};
use super::call::Call;
pub(super) fn merge(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn is_merged(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
