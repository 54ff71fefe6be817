//! stub
use super::answer::{Answer, ApiError};
use super::call::Call;
pub(super) fn root(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn get(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
pub(super) fn put(_: &Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found())
}
