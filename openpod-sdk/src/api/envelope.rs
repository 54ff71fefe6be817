//! How answers and errors are wrapped.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ErrorCode;

/// `{"data": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data<T> {
    /// The answer.
    pub data: T,
}

/// One page of a list: `{"data": […], "next_cursor": "…"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "{T}Page"))]
pub struct Page<T> {
    /// The items, in the list's stable order.
    pub data: Vec<T>,
    /// Send it as `cursor` to get the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page with nothing after it.
    pub fn last(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// A sentence for a person.
    pub error: String,
    /// The machine's word for it. Decide by this and the status, never by the sentence.
    #[serde(default)]
    pub code: Option<ErrorCode>,
    /// Names this request in the server's log.
    #[serde(default)]
    pub request_id: Option<String>,
    /// What else belongs to the code, such as the fields that were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
}
