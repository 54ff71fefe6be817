//! The contract as JSON Schema 2020-12, for a server that publishes an OpenAPI document.
//!
//! ```text
//!   answers    as the server writes them; shared types are references to `#/components/schemas/…`
//!   requests   as the server reads them; whole in one place, because the limits bind a request's fields, not its types:
//!                schema ─▶ example ─▶ Validate::limits ─▶ written into the schema
//! ```
//!
//! So each limit stands once, in the `Validate` that enforces it.

mod example;
mod limits;
mod words;

use std::any::TypeId;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Endpoint, Envelope, Nothing, Validate};

pub(crate) use words::{instant, open_list};

/// Where the document keeps its shared schemas.
const COMPONENTS: &str = "/components/schemas";

/// The schemas of a document under construction.
#[derive(Debug)]
pub struct Shapes {
    answers: SchemaGenerator,
    requests: Map<String, Value>,
}

/// What the parts of an operation look like.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationShapes {
    /// An object with a property for each placeholder of the path.
    pub path: Value,
    /// An object with a property for each query parameter.
    pub query: Value,
    /// The body, if there is one.
    pub body: Option<Value>,
    /// A successful answer, with its envelope.
    pub answer: Value,
}

impl Default for Shapes {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
            settings.definitions_path = COMPONENTS.into();
            settings.meta_schema = None;
        });
        Self { answers: settings.into_generator(), requests: Map::new() }
    }
}

impl Shapes {
    /// A type as the server writes it: a reference.
    pub fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// A body as the server reads it, with its limits: a reference.
    pub fn request<T: JsonSchema + DeserializeOwned + Validate>(&mut self) -> Value {
        let name = T::schema_name().into_owned();
        self.requests.insert(name.clone(), request::<T>());
        Schema::new_ref(format!("#{COMPONENTS}/{name}")).to_value()
    }

    /// All parts of an operation.
    pub fn operation<E: Endpoint>(&mut self) -> OperationShapes {
        let response = self.answer::<E::Response>();
        let has_body = TypeId::of::<E::Body>() != TypeId::of::<Nothing>();
        OperationShapes {
            path: request::<E::Path>(),
            query: request::<E::Query>(),
            body: has_body.then(|| self.request::<E::Body>()),
            answer: match E::ENVELOPE {
                Envelope::Data => {
                    json!({"type": "object", "required": ["data"], "properties": {"data": response}})
                }
                Envelope::Page | Envelope::Bare => response,
            },
        }
    }

    /// The schemas that the references lead to, by name.
    pub fn into_components(mut self) -> Map<String, Value> {
        let mut components = self.answers.take_definitions(true);
        components.append(&mut self.requests);
        components
    }
}

/// A type as the server reads it, whole and with its limits.
fn request<T: JsonSchema + DeserializeOwned + Validate>() -> Value {
    let mut schema = unlimited::<T>();
    for (field, limit) in limits_of::<T>(&schema) {
        limits::write(&mut schema, &field, &limit);
    }
    schema
}

fn unlimited<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.to_value()
}

/// The limits that a value with every field meets.
fn limits_of<T: DeserializeOwned + Validate>(schema: &Value) -> Vec<(String, super::Limit)> {
    let whole = T::deserialize(example::whole(schema)).ok();
    whole.map(|value| value.limits()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
