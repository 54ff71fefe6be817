//! stub
use super::answer::{Answer, ApiError};
use super::call::Call;
pub(super) fn create(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn list(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn combined(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
