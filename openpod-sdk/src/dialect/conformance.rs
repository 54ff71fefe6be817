//! Whether an answer is one that the client can read, for those who write a service or a stub of one.

use serde_json::{Map, Value, json};

use super::{Dialect, Translated, Unsupported, translate};
use crate::api::{Envelope, ErrorBody, Operation};

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The dialect has no such operation.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The body has another shape.
    #[error("the body has another shape: {0}")]
    Shape(#[from] serde_json::Error),
}

/// Whether the client can read this answer to an operation: as its result where the status says success, as a refusal
/// where it does not.
///
/// ```
/// use openpod_sdk::{Dialect, api, dialect::reads};
///
/// let agents = api::ENDPOINTS.iter().find(|row| row.name == "ListAgents").unwrap();
/// assert!(reads(Dialect::Documented, agents, 200, br#"{"data": []}"#).is_ok());
/// assert!(reads(Dialect::Documented, agents, 200, br#"{"data": {}}"#).is_err());
/// assert!(reads(Dialect::Documented, agents, 429, br#"{"error": "Later."}"#).is_ok());
/// ```
pub fn reads(dialect: Dialect, operation: &Operation, status: u16, body: &[u8]) -> Result<(), Unreadable> {
    let says_success = (200..300).contains(&status);
    let refusal = || Ok(serde_json::from_slice::<ErrorBody>(body).map(drop)?);
    match dialect {
        Dialect::Documented if says_success => Ok((operation.reads)(body)?),
        Dialect::Documented => refusal(),
        Dialect::Deployed => {
            let Translated { translation, .. } = translate(operation.name, Value::Object(Map::new()))?;
            let theirs: Value = serde_json::from_slice(body)?;
            if !translation.is_result(status, &theirs) {
                return refusal();
            }
            let ours = translation.result(operation.envelope, theirs);
            let ours = if operation.envelope == Envelope::Data { json!({"data": ours}) } else { ours };
            Ok((operation.reads)(&serde_json::to_vec(&ours)?)?)
        }
    }
}
