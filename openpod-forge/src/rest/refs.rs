//! stub
use super::answer::{Answer, ApiError};
use super::call::Call;
pub(super) fn get(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn matching(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn create(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn update(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn delete(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
