//! From the contract to an HTTP request. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::CallOptions;
use super::error::Fault;
use crate::Secret;
use crate::api::{Access, Endpoint, deployed};
use crate::dialect::{Dialect, Translated, Translation, Unsupported, translate};

/// All that is not unreserved (RFC 3986) is escaped, so that no value can reach beyond its segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const X_PAYMENT: HeaderName = HeaderName::from_static("x-payment");

/// A request, as often as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// Whom a request goes to.
pub(super) struct Target<'a> {
    pub(super) base: &'a Url,
    /// The value of the header that proves who asks.
    pub(super) authorization: Option<&'a HeaderValue>,
    pub(super) dialect: Dialect,
}

pub(super) fn build<E: Endpoint>(
    target: &Target<'_>,
    options: &CallOptions,
    path: &E::Path,
    query: &E::Query,
    body: &E::Body,
) -> Result<(Outgoing, Option<Translation>), Fault> {
    let Content { query, body, translation } = match target.dialect {
        Dialect::Documented => documented::<E>(options, query, body)?,
        Dialect::Deployed => translated::<E>(options, query, body)?,
    };
    // The address was read once; what follows it has only characters that stay as they are.
    let mut url = target.base.clone();
    let before = url.path().trim_end_matches('/');
    let path = [before, E::ACCESS.base_path(), &fill(E::PATH, path)?].concat();
    url.set_path(&path);
    url.set_query(Some(query).filter(|query| !query.is_empty()).as_deref());
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(ACCEPT, JSON);
    if E::ACCESS != Access::Public {
        let value = target.authorization;
        let value =
            value.ok_or_else(|| Fault::request("this operation needs a key; give the builder one"))?;
        headers.insert(AUTHORIZATION, value.clone());
    }
    if let Some(version) = options.if_match {
        headers.insert(IF_MATCH, header(&format!("\"{version}\""), "the version")?);
    }
    if let Some(name) = options.idempotency_key.as_ref().filter(|_| E::METHOD != Method::GET) {
        if name.is_empty() || name.len() > 255 {
            return Err(Fault::request("an idempotency key has 1 to 255 characters"));
        }
        headers.insert(IDEMPOTENCY_KEY, header(name, "the idempotency key")?);
    }
    if let Some(proof) = &options.payment {
        headers.insert(X_PAYMENT, header(proof.expose(), "the proof of payment")?);
    }
    if body.is_some() {
        headers.insert(CONTENT_TYPE, JSON);
    }
    let body = body.map(Bytes::from);
    Ok((Outgoing { method: E::METHOD, url, headers, body }, translation))
}

/// What differs between the dialects.
struct Content {
    /// Without its `?`.
    query: String,
    body: Option<Vec<u8>>,
    translation: Option<Translation>,
}

fn has_body<E: Endpoint>() -> bool {
    matches!(E::METHOD, Method::POST | Method::PATCH)
}

fn documented<E: Endpoint>(
    options: &CallOptions,
    query: &E::Query,
    body: &E::Body,
) -> Result<Content, Fault> {
    if deployed::ENDPOINTS.iter().any(|only| only.name == E::NAME) {
        let instead = "only the deployed service has it";
        return Err(Unsupported::operation(E::NAME, Dialect::Documented, instead).into());
    }
    let body = match (has_body::<E>(), options.body_fields.is_empty()) {
        (false, _) => None,
        (true, true) => Some(serde_json::to_vec(body).map_err(|source| Fault::request(source.to_string()))?),
        (true, false) => Some(with_fields(fields(body)?, options)?),
    };
    Ok(Content { query: query_string(query)?, body, translation: None })
}

fn translated<E: Endpoint>(
    options: &CallOptions,
    query: &E::Query,
    body: &E::Body,
) -> Result<Content, Fault> {
    if options.if_match.is_some() {
        return Err(Unsupported {
            operation: E::NAME,
            field: Some("If-Match".into()),
            dialect: Dialect::Deployed,
            instead: "tickets have no versions there; look at the ticket afterwards".into(),
        }
        .into());
    }
    if !has_body::<E>() {
        let Translated { fields, translation } = translate(E::NAME, Value::Object(fields(query)?))?;
        return Ok(Content { query: query_string(&fields)?, body: None, translation: Some(translation) });
    }
    let Translated { fields, translation } = translate(E::NAME, Value::Object(fields(body)?))?;
    let body = with_fields(fields, options)?;
    Ok(Content { query: String::new(), body: Some(body), translation: Some(translation) })
}

fn fields(value: &impl Serialize) -> Result<Map<String, Value>, Fault> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Fault::request("a request is an object")),
        Err(source) => Err(Fault::request(source.to_string())),
    }
}

fn with_fields(mut fields: Map<String, Value>, options: &CallOptions) -> Result<Vec<u8>, Fault> {
    fields.extend(options.body_fields.iter().cloned());
    serde_json::to_vec(&fields).map_err(|source| Fault::request(source.to_string()))
}

/// What proves who asks. It prints as `Sensitive`.
pub(super) fn authorization(key: &Secret) -> Result<HeaderValue, Fault> {
    header(&format!("Bearer {}", key.expose()), "the key")
}

fn header(text: &str, what: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Fault::request(format!("{what} contains characters that a header cannot carry")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts the values in the place of the `{names}` of a path.
fn fill(path: &'static str, values: &impl Serialize) -> Result<Cow<'static, str>, Fault> {
    if !path.contains('{') {
        return Ok(path.into());
    }
    let values = serde_json::to_value(values).map_err(|source| Fault::request(source.to_string()))?;
    let mut filled = String::new();
    for segment in path.split('/').skip(1) {
        filled.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            None => filled.push_str(segment),
            Some(name) => {
                let value = values[name].as_str().unwrap_or_default();
                if matches!(value, "" | "." | "..") {
                    return Err(Fault::request(format!("{name} must not be {value:?}")));
                }
                filled.extend(utf8_percent_encode(value, SEGMENT));
            }
        }
    }
    Ok(filled.into())
}

fn query_string(query: &impl Serialize) -> Result<String, Fault> {
    serde_html_form::to_string(query).map_err(|source| Fault::request(source.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Nothing;
    use crate::api::agents::{AgentFilter, ListAgents};
    use crate::api::tickets::{GetTicket, TicketPatch, TicketPath, UpdateTicket};

    fn base() -> Url {
        "https://openpod.work".parse().unwrap()
    }

    fn to<'a>(base: &'a Url, key: &'a HeaderValue) -> Target<'a> {
        Target { base, authorization: Some(key), dialect: Dialect::Documented }
    }

    fn key() -> HeaderValue {
        authorization(&"opk_a".into()).unwrap()
    }

    #[test]
    fn a_value_cannot_leave_its_place_in_the_path() {
        let path = TicketPath { ticket_id: "a/../b?c#d é".into() };
        let key = key();
        let built =
            build::<GetTicket>(&to(&base(), &key), &CallOptions::new(), &path, &Nothing {}, &Nothing {})
                .unwrap()
                .0;
        assert_eq!(built.url.path(), "/api/agent/v1/tickets/a%2F..%2Fb%3Fc%23d%20%C3%A9");
        for empty in ["", ".", ".."] {
            let path = TicketPath { ticket_id: empty.into() };
            let refused =
                build::<GetTicket>(&to(&base(), &key), &CallOptions::new(), &path, &Nothing {}, &Nothing {});
            assert!(refused.is_err(), "{empty:?}");
        }
    }

    #[test]
    fn public_operations_carry_no_key() {
        let filter = AgentFilter {
            capability: vec!["a b".into(), "c&d".into()],
            limit: Some(5),
            ..Default::default()
        };
        let key = key();
        let built =
            build::<ListAgents>(&to(&base(), &key), &CallOptions::new(), &Nothing {}, &filter, &Nothing {});
        let (built, _) = built.unwrap();
        assert_eq!(built.url.query(), Some("capability=a+b&capability=c%26d&limit=5"));
        assert!(!built.headers.contains_key(AUTHORIZATION));
    }

    #[test]
    fn the_version_to_match_travels_as_an_entity_tag() {
        let path = TicketPath { ticket_id: "t".into() };
        let options = CallOptions::new().if_match(7);
        let key = key();
        let built =
            build::<UpdateTicket>(&to(&base(), &key), &options, &path, &Nothing {}, &TicketPatch::default())
                .unwrap()
                .0;
        assert_eq!(built.headers[IF_MATCH], "\"7\"");
        assert!(!format!("{built:?}").contains("opk_a"));
    }
}
