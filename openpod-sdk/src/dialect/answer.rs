//! From an answer in their names to one in ours. Pure.

use serde_json::{Map, Value, json};

use super::place;
use super::request::Translation;
use super::rule::{In, List};
use super::words::to_ours;
use crate::api::{Envelope, ErrorCode};

impl Translation {
    /// Whether this answer is a result although its status says refusal: a check that says no does so.
    pub(crate) fn is_result(&self, status: u16, body: &Value) -> bool {
        (200..300).contains(&status)
            || self.row.name == "VerifyDeliverable" && status == 400 && body["valid"] == false
    }

    /// The result in our shape, without an envelope.
    pub(crate) fn result(&self, envelope: Envelope, mut body: Value) -> Value {
        let mut value = match envelope {
            Envelope::Bare => body,
            Envelope::Data | Envelope::Page => place::taken(&mut body, "data"),
        };
        place::without_nulls(&mut value);
        for rule in self.row.answer {
            match rule {
                In::Rename { at, to } => place::rename(&mut value, at, to),
                In::Words { at, words } => place::replace(&mut value, at, &|word| to_ours(words, word)),
                In::Shape(shape) => value = shape(value, &self.sent),
            }
        }
        match (envelope, self.row.list) {
            (_, List::None) => value,
            (Envelope::Page, list) => {
                let Value::Array(items) = value else { return value };
                let (data, next_cursor) = list.page(items, &self.cut);
                json!({"data": data, "next_cursor": next_cursor})
            }
            (_, list) => {
                let items = value["transactions"].as_array().cloned().unwrap_or_default();
                let (_, next_cursor) = list.page(items, &self.cut);
                if let Value::Object(fields) = &mut value {
                    fields.insert("next_cursor".to_owned(), next_cursor.into());
                }
                value
            }
        }
    }

    /// The machine's word for a refusal; they have none of their own.
    pub(crate) fn code(&self, status: u16) -> Option<ErrorCode> {
        let of_this = self.row.codes.iter().find(|(known, _)| *known == status).map(|(_, code)| code.clone());
        of_this.or(match status {
            400 => Some(ErrorCode::InvalidRequest),
            401 => Some(ErrorCode::Unauthenticated),
            403 => Some(ErrorCode::Forbidden),
            404 => Some(ErrorCode::NotFound),
            405 => Some(ErrorCode::MethodNotAllowed),
            409 => Some(ErrorCode::Conflict),
            429 => Some(ErrorCode::RateLimited),
            500 => Some(ErrorCode::Internal),
            502 => Some(ErrorCode::UpstreamFailed),
            503 => Some(ErrorCode::Unavailable),
            _ => None,
        })
    }

    /// What else a refusal says: how to pay.
    pub(crate) fn details(body: &Value) -> Option<Map<String, Value>> {
        body["payment_details"].as_object().cloned()
    }
}
