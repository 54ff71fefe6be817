//! From an HTTP answer to a value or a fault. Pure.

use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, Response};
use jiff::fmt::rfc2822::DateTimeParser;
use serde::de::DeserializeOwned;

use serde_json::Value;

use super::error::{Answer, Fault};
use crate::api::{Data, Endpoint, Envelope, ErrorBody, Timestamp};
use crate::dialect::Translation;

pub(super) fn read<E: Endpoint>(response: &Response<Bytes>) -> Result<E::Response, Fault> {
    let status = response.status();
    if !status.is_success() {
        return Err(Fault::Answered(Box::new(refusal(response))));
    }
    let parsed = match E::ENVELOPE {
        Envelope::Data => parse::<Data<E::Response>>(response.body()).map(|answer| answer.data),
        Envelope::Page | Envelope::Bare => parse::<E::Response>(response.body()),
    };
    parsed.map_err(|problem| Fault::Malformed {
        status: status.as_u16(),
        problem,
        request_id: request_id(response).map(str::to_owned),
    })
}

/// The same for an answer in another dialect.
pub(super) fn read_translated<E: Endpoint>(
    response: &Response<Bytes>,
    translation: &Translation,
) -> Result<E::Response, Fault> {
    let status = response.status().as_u16();
    let body = parse::<Value>(response.body());
    let is_result =
        body.as_ref().map_or(response.status().is_success(), |body| translation.is_result(status, body));
    if !is_result {
        let mut answer = refusal(response);
        answer.code = answer.code.or_else(|| translation.code(status));
        answer.details = answer.details.or_else(|| Translation::details(body.as_ref().ok()?));
        // What failed there may have been done in part: nothing is undone.
        answer.ours &= status < 500;
        return Err(Fault::Answered(Box::new(answer)));
    }
    let value = body.map(|body| translation.result(E::ENVELOPE, body));
    let parsed = value.and_then(|value| {
        serde_json::from_value(value).map_err(|_| "it is JSON of another shape".to_owned())
    });
    parsed.map_err(|problem| Fault::Malformed {
        status,
        problem,
        request_id: request_id(response).map(str::to_owned),
    })
}

/// What is wrong is told by place and kind; the text itself may hold a key or token.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|problem| {
        let kind = match problem.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Syntax => "it is not JSON",
            _ => "it is JSON of another shape",
        };
        format!("{kind}, at line {} column {}", problem.line(), problem.column())
    })
}

fn refusal(response: &Response<Bytes>) -> Answer {
    let body: Option<ErrorBody> = serde_json::from_slice(response.body()).ok();
    // A proxy may say `error` as well. Where something may have been done, only a code of ours is believed.
    let ours = body.as_ref().is_some_and(|body| body.code.is_some() || !response.status().is_server_error());
    let body =
        body.unwrap_or(ErrorBody { error: String::new(), code: None, request_id: None, details: None });
    Answer {
        status: response.status().as_u16(),
        ours,
        message: body.error,
        code: body.code,
        request_id: body.request_id.or_else(|| request_id(response).map(str::to_owned)),
        details: body.details,
        retry_after: retry_after(response.headers()),
    }
}

pub(super) fn request_id(response: &Response<Bytes>) -> Option<&str> {
    response.headers().get("x-request-id")?.to_str().ok()
}

/// The platform says it in seconds. A proxy may say it as a date: what that means follows from the date of its answer, so
/// that nobody's clock is needed for it.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::from);
    let answered = headers.get(DATE)?.to_str().ok()?;
    Some(date(text)?.since(date(answered)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_wait_is_told_in_seconds_or_by_two_dates() {
        let told = |retry_after: &str, date: Option<&str>| {
            let date = date.map(|date| (DATE, date.parse().unwrap()));
            retry_after_of([(RETRY_AFTER, retry_after.parse().unwrap())].into_iter().chain(date).collect())
        };
        let (noon, soon) = ("Thu, 12 Mar 2026 12:00:00 GMT", "Thu, 12 Mar 2026 12:01:30 GMT");
        assert_eq!(told(" 7 ", None), Some(7));
        assert_eq!(told("7", Some(noon)), Some(7));
        assert_eq!(told(soon, Some(noon)), Some(90));
        assert_eq!(told(noon, Some(soon)), Some(0), "what is over is not waited for");
        for nothing in
            [told(soon, None), told("soon", Some(noon)), told("-7", Some(noon)), told(soon, Some("noon"))]
        {
            assert_eq!(nothing, None);
        }
    }

    fn retry_after_of(headers: HeaderMap) -> Option<u64> {
        retry_after(&headers).map(|wait| wait.as_secs())
    }
}
