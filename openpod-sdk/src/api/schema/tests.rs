use std::collections::BTreeSet;

use super::*;
use crate::api::tickets::{NewTicket, TicketFilter, TicketPatch};
use crate::api::{
    ENDPOINTS, EXTENSIONS, Limit, agents, applications, github, heartbeat, keys, knowledge, me, messages,
    owner, positions, projects, register, tickets, webhooks,
};

#[test]
fn a_schema_and_the_code_draw_the_same_line_at_every_limit() {
    let mut walked = BTreeSet::new();
    macro_rules! walk {
        ($($request:ty),* $(,)?) => {$({
            walk::<$request>(json!({}));
            walked.insert(<$request>::schema_name());
        })*};
    }
    walk! {
        agents::AgentFilter, applications::NewApplication, applications::ApplicationDecision,
        applications::ApplicationFilter, applications::ApplicationPath, github::RepositoryQuery,
        github::PullRequestFilter, github::DeliverableCheck, heartbeat::HeartbeatQuery, keys::NewKey,
        keys::KeyRotation, keys::KeyFilter, keys::KeyPath, knowledge::KnowledgeFilter, knowledge::NewKnowledge,
        me::TransactionFilter, messages::MessageFilter, messages::NewMessage, owner::AuditFilter,
        owner::LedgerFilter, owner::OwnerApplicationFilter, owner::OwnerProjectFilter, owner::OwnerWebhookFilter,
        owner::ProjectPath,
        positions::PositionFilter, positions::NewPosition, projects::ProjectFilter, projects::NewProject,
        register::NewAgent, tickets::NewComment, TicketFilter, TicketPatch, tickets::TicketPath,
        webhooks::DeliveryFilter, webhooks::NewWebhook, webhooks::Replay, webhooks::SecretRotation,
        webhooks::WebhookPath,
    }
    // What one field asks of another is said in words, so these begin where the others are content.
    let described =
        json!({"ticket_type": "epic", "description": "x".repeat(30), "acceptance_criteria": ["x"]});
    walk::<NewTicket>(described);
    walk::<tickets::Judgement>(json!({"action": "approve", "payout_cents": 1}));
    walk::<owner::OwnerJudgement>(json!({"action": "approve", "payout_cents": 1}));
    walked.extend(["NewTicket", "Judgement", "OwnerJudgement"].map(Into::into));

    let mut shapes = Shapes::default();
    for row in ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS) {
        (row.shapes)(&mut shapes);
    }
    let forgotten: Vec<_> = shapes.requests.keys().filter(|name| !walked.contains(name.as_str())).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// Puts values on both sides of each limit into a request that is well otherwise, and asks schema and code.
fn walk<T: JsonSchema + DeserializeOwned + Validate>(base: Value) {
    let name = T::schema_name();
    let mut schema = request::<T>();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut valid = least(&schema);
    valid.as_object_mut().unwrap().append(&mut base.as_object().unwrap().clone());
    let whole = example::whole(&unlimited::<T>());
    assert!(T::deserialize(&whole).is_ok(), "{name} cannot be read from {whole}");
    for (field, limit) in limits_of::<T>(&unlimited::<T>()) {
        assert!(limits::write(&mut schema, &field, &limit), "{name} has no field {field}");
        if limit == Limit::SomeField {
            assert!(!validator.is_valid(&json!({})) && T::deserialize(json!({})).unwrap().check().is_err());
            continue;
        }
        let entry = limits::locate(&mut schema, &field).map(|place| least(&place["items"]));
        for value in both_sides(&limit, entry.unwrap_or_default()) {
            let mut request = valid.clone();
            *place(&mut request, &schema, &field) = value.clone();
            let by_code = T::deserialize(&request).is_ok_and(|read| read.check().is_ok());
            let shown = value.to_string();
            let shown = shown.get(..80).unwrap_or(&shown);
            assert_eq!(validator.is_valid(&request), by_code, "{name}.{field}, {limit:?}: {shown}");
        }
    }
}

/// Where a field stands in an instance; what leads to it is made.
fn place<'v>(mut value: &'v mut Value, schema: &Value, field: &str) -> &'v mut Value {
    let mut schema = schema;
    for part in field.split('.') {
        let (name, is_entry) = part.split_once('[').map_or((part, false), |(name, _)| (name, true));
        schema = &schema["properties"][name];
        value = &mut value[name];
        if is_entry {
            schema = &schema["items"];
            *value = json!([least(schema)]);
            value = &mut value[0];
        }
    }
    value
}

/// A value with nothing but what is required.
fn least(schema: &Value) -> Value {
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties
                .filter(|(name, _)| required(name))
                .map(|(name, property)| (name.clone(), least(property)))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("array") => {
            let count = schema["minItems"].as_u64().unwrap_or(0) as usize;
            vec![least(&schema["items"]); count].into()
        }
        Some("string") => match (schema["format"].as_str(), schema["enum"][0].as_str()) {
            (_, Some(word)) => json!(word),
            (Some("uuid"), _) => json!(SOME_UUID),
            (Some("uri"), _) => json!("https://example.com/"),
            _ if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("{24}")) => {
                json!("0f".repeat(12))
            }
            _ => json!("x".repeat(schema["minLength"].as_u64().unwrap_or(1) as usize)),
        },
        _ => json!(1),
    }
}

const SOME_UUID: &str = "019506f2-c8a1-7c3e-9d56-0123456789ab";

/// Values that keep a limit and values that do not.
fn both_sides(limit: &Limit, entry: Value) -> Vec<Value> {
    let texts = |lengths: &[usize]| lengths.iter().map(|&n| json!("x".repeat(n))).collect::<Vec<_>>();
    match limit {
        Limit::Text { min, max } => {
            let mut values = texts(&[min.saturating_sub(1), *min, *max, max + 1]);
            values.push(json!("ä".repeat(*max)));
            values.push(json!(" ".repeat((*min).max(1))));
            values.push(json!(format!(" {} ", "x".repeat(min.saturating_sub(1)))));
            values.push(json!(format!("x{}\0x", "x".repeat(*min))));
            values
        }
        Limit::Length { min, max } => texts(&[min - 1, *min, *max, max + 1]),
        Limit::Entries { min, max } => {
            let counts = [min.saturating_sub(1), *min, *max, max + 1];
            counts.iter().map(|&count| vec![entry.clone(); count].into()).collect()
        }
        Limit::Range { min, max } => [min - 1, *min, *max, max + 1].map(Value::from).into(),
        Limit::OneOf(words) => words.iter().copied().chain(["unheard_of", ""]).map(Value::from).collect(),
        Limit::Pattern(_) => {
            let mut values = texts(&[0, 24, 64]);
            let hex = [23, 24, 25, 63, 64, 65].map(|n| json!("aF".repeat(n).get(..n)));
            values.extend(hex);
            values.extend(["me", "none", "nobody", SOME_UUID].map(Value::from));
            values
        }
        Limit::Uuid => {
            let texts =
                [SOME_UUID, "019506F2-C8A1-7C3E-9D56-0123456789AB", "019506f2c8a17c3e9d560123456789ab"];
            texts
                .into_iter()
                .chain(["proj_1", "", "019506f2-c8a1-7c3e-9d56-0123456789ag"])
                .map(Value::from)
                .collect()
        }
        Limit::WebAddress => {
            let long = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
            let mut values: Vec<Value> = [long(2000), long(2001)].map(Value::from).into();
            let texts =
                ["https://example.com", "HTTP://example.com/a?b#c", "ftp://example.com", "https://", "x", ""];
            values.extend(texts.map(Value::from));
            values
        }
        Limit::SomeField => Vec::new(),
    }
}

#[test]
fn no_request_hides_a_limit_in_a_sentence() {
    let schema = request::<TicketPatch>();
    assert_eq!(schema["properties"]["title"]["maxLength"], 200);
    assert_eq!(schema["properties"]["deliverables"]["maxItems"], 20);
    assert_eq!(schema["properties"]["deliverables"]["items"]["properties"]["url"]["format"], "uri");
    assert_eq!(schema["properties"]["assignee_agent_key_id"]["type"], json!(["string", "null"]));
    assert_eq!(schema["minProperties"], 1);
}

#[test]
fn words_are_closed_in_requests_and_open_in_answers() {
    let request = request::<TicketFilter>();
    assert_eq!(request["properties"]["status"]["enum"][0], "todo");
    let mut shapes = Shapes::default();
    shapes.answer::<tickets::Ticket>();
    let status = &shapes.into_components()["TicketStatus"];
    assert_eq!(status["x-extensible-enum"][0], "todo");
    assert_eq!(status["enum"], Value::Null);
}
