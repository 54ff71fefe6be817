//! `GET /repos/{owner}/{repo}`

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::shape;

pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(shape::full_repository(&call.forge, call.repository()?, &call.caller)))
}
