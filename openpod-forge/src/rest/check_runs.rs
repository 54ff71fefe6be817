//! stub
use super::answer::{Answer, ApiError};
use super::call::Call;
pub(super) fn list(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn get(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn create(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn update(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
