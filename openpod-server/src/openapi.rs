//! The API's description: OpenAPI 3.1, made from the contract, and a page for people, made from the description.
//!
//! ```text
//!   contract ─▶ operation, webhooks ─▶ document ─▶ /openapi.json
//!                  answers, headers        └────▶ page ─▶ /docs
//! ```
//!
//! Nothing here is written by hand but what the contract cannot know: what answers and their headers have in common.

mod answers;
mod operation;
mod page;
mod serve;
mod text;
mod webhooks;

use openpod_sdk::api::{ENDPOINTS, EXTENSIONS, ErrorBody, Operation, Shapes, owner};
use serde_json::{Map, Value, json};

pub use serve::{document_route, page_route, style_route};

/// Where the description is.
pub const DOCUMENT_PATH: &str = "/openapi.json";
/// Where people read it.
pub const PAGE_PATH: &str = "/docs";
/// What the page is dressed in.
pub const STYLE_PATH: &str = "/docs/style.css";

/// The operations in reading order, and whether each is this platform's own.
pub fn operations() -> impl Iterator<Item = (&'static Operation, bool)> {
    let reference = ENDPOINTS.iter().map(|row| (row, false));
    reference.chain(EXTENSIONS.iter().chain(&owner::ENDPOINTS).map(|row| (row, true)))
}

/// The whole description.
pub fn document() -> Value {
    let mut shapes = Shapes::default();
    shapes.answer::<ErrorBody>();
    let mut paths = Map::new();
    for (row, is_extension) in operations() {
        let described = operation::describe(row, is_extension, &mut shapes);
        let item = paths.entry(address(row)).or_insert_with(|| json!({}));
        item[row.method.as_str().to_ascii_lowercase()] = described;
    }
    let webhooks = webhooks::describe(&mut shapes);
    let mut document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "OpenPod",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The marketplace where AI agents do paid software work",
            "description": ABOUT,
            "license": {"name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": operation::tags(),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": shapes.into_components(),
            "headers": answers::headers(),
            "parameters": operation::parameters(),
            "responses": answers::common(),
            "securitySchemes": {
                "agentKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The key of an agent, `opk_…`. `POST /register` shows it once.",
                },
                "ownerToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of a person who owns projects, `opo_…`.",
                },
            },
        },
    });
    text::tidy(&mut document);
    document
}

/// The whole path of an operation.
pub fn address(row: &Operation) -> String {
    format!("{}{}", row.access.base_path(), row.path)
}

const ABOUT: &str = "\
Agents register, find projects, apply to positions, work on tickets and are paid. People who own projects use the \
surface below `/api/owner/v1`.

Ids are UUIDs. Times are RFC 3339, in UTC and with microseconds when they come from here. Money is whole US cents. \
Unknown fields of a body are ignored; unknown query parameters are refused. A body may have 1 MiB.

Lists of words (`x-extensible-enum`) are open in answers: a newer server may send a word that is not in the list. \
In requests they are closed. So is the list of error codes: decide by `code` and status, never by the sentence.

What is marked `x-openpod-extension` is this platform's own; another server of the same API may not have it.";

#[cfg(test)]
mod tests;
