//! From layers to a configuration: file, environment, flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::builder::DefaultState;
use config::{ConfigBuilder, Environment, File, FileFormat, Value, ValueKind};

use super::check::{Check, ConfigError, Mistake, shown};
use super::{Config, RawConfig, RawMember, Registration};

/// Where values come from.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The TOML file.
    pub file: Option<PathBuf>,
    /// The environment: `std::env::vars().collect()`.
    pub environment: BTreeMap<String, String>,
    /// Flags, by key.
    pub flags: Vec<(&'static str, Value)>,
}

/// A configuration as written, with the places of its values.
pub struct Loaded {
    raw: RawConfig,
    check: Check,
}

impl Loaded {
    /// What is meant, for a daemon that runs.
    pub fn validate(self) -> Result<Config, ConfigError> {
        self.raw.validated(self.check)
    }

    /// What is meant, for registering an agent.
    pub fn validate_registration(self) -> Result<Registration, ConfigError> {
        self.raw.validated_registration(self.check)
    }
}

const PREFIX: &str = "OPENPOD_AGENTD_";
const LISTS: [&str; 9] = [
    "agent.capabilities",
    "executor.command",
    "executor.environment",
    "executor.readable",
    "executor.writable",
    "policy.apply.capabilities",
    "policy.apply.role_levels",
    "policy.tickets.priorities",
    "policy.tickets.ticket_types",
];

/// Reads all layers. A key that nobody knows is a mistake, so that a misspelt one is not silently ignored.
pub fn load(layers: Layers) -> Result<Loaded, ConfigError> {
    let file = layers.file.as_ref().map(|path| path.display().to_string());
    let merged = layered(layers)
        .and_then(ConfigBuilder::<DefaultState>::build)
        .map_err(|error| unreadable(&error, file.as_deref()))?;
    let mut check = Check::default();
    let mut walk = Walk { file: file.as_deref(), check: &mut check, unknown: Vec::new() };
    walk.visit("", &merged.cache, &known_keys());
    if !walk.unknown.is_empty() {
        return Err(ConfigError { mistakes: walk.unknown });
    }
    let raw: RawConfig = serde_path_to_error::deserialize(merged).map_err(|error| {
        let key = error.path().to_string();
        let problem = plain(error.inner());
        let mut check = std::mem::take(&mut check);
        check.wrong(&key, problem);
        ConfigError { mistakes: check.done(()).err().map(|error| error.mistakes).unwrap_or_default() }
    })?;
    Ok(Loaded { raw, check })
}

fn layered(layers: Layers) -> Result<ConfigBuilder<DefaultState>, config::ConfigError> {
    let mut builder = config::Config::builder();
    if let Some(file) = layers.file {
        builder = builder.add_source(File::from(file).format(FileFormat::Toml));
    }
    let ours = layers.environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    let mut environment = Environment::with_prefix(PREFIX.trim_end_matches('_'))
        .prefix_separator("_")
        .separator("__")
        .list_separator(",")
        .try_parsing(true)
        .source(Some(ours));
    for key in LISTS {
        environment = environment.with_list_parse_key(key);
    }
    builder = builder.add_source(environment);
    for (key, value) in layers.flags {
        builder = builder.set_override(key, value)?;
    }
    Ok(builder)
}

fn unreadable(error: &config::ConfigError, file: Option<&str>) -> ConfigError {
    let problem = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => plain(other),
    };
    let place = file.map(|file| format!("in {file}"));
    ConfigError { mistakes: vec![Mistake { key: "configuration file".into(), value: None, place, problem }] }
}

/// The complaint without key and place, which are said anyway.
fn plain(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::Type { unexpected, expected, .. } => {
            format!("is {unexpected}, but must be {expected}")
        }
        config::ConfigError::At { error, .. } => plain(error),
        other => other.to_string(),
    }
}

/// Every key that can be written, from the configuration that sets none.
fn known_keys() -> serde_json::Value {
    let mut known = serde_json::to_value(RawConfig::default()).unwrap_or_default();
    known["agents"] = serde_json::Value::Array(vec![RawMember::template()]);
    known
}

/// Goes through what is written, notes values and places, and finds keys that nobody knows.
struct Walk<'a> {
    file: Option<&'a str>,
    check: &'a mut Check,
    unknown: Vec<Mistake>,
}

impl Walk<'_> {
    fn visit(&mut self, prefix: &str, value: &Value, known: &serde_json::Value) {
        if let (ValueKind::Array(items), Some(template)) = (&value.kind, known.get(0))
            && template.is_object()
        {
            for (index, item) in items.iter().enumerate() {
                self.visit(&format!("{prefix}[{index}]"), item, template);
            }
            return;
        }
        let ValueKind::Table(fields) = &value.kind else {
            let seen = (shown(prefix, &json(value)), Some(place(value, self.file)));
            self.check.known.insert(prefix.to_owned(), seen);
            return;
        };
        let mut names: Vec<&String> = fields.keys().collect();
        names.sort();
        for name in names {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match known.get(name) {
                Some(inner) => self.visit(&key, &fields[name], inner),
                None => self.unknown.push(unknown(key, &fields[name], known, self.file)),
            }
        }
    }
}

fn unknown(key: String, field: &Value, known: &serde_json::Value, file: Option<&str>) -> Mistake {
    let options: Vec<&str> =
        known.as_object().into_iter().flat_map(|keys| keys.keys()).map(|key| &**key).collect();
    let problem = match &options[..] {
        [] => "is not known here".to_owned(),
        options => format!("is not known here; known are {}", options.join(", ")),
    };
    let value = Some(json(field)).filter(|value| !value.is_object()).map(|value| value.to_string());
    Mistake { key, value, place: Some(place(field, file)), problem }
}

/// Where a value stands. A section stands where its first value does.
fn place(value: &Value, file: Option<&str>) -> String {
    let leaf = match &value.kind {
        ValueKind::Table(fields) => fields.values().next().unwrap_or(value),
        _ => value,
    };
    match (leaf.origin(), file) {
        (None, _) => "on the command line".to_owned(),
        (Some("the environment"), _) => "in the environment".to_owned(),
        (Some(_), Some(file)) => format!("in {file}"),
        (Some(origin), None) => format!("in {origin}"),
    }
}

fn json(value: &Value) -> serde_json::Value {
    match &value.kind {
        ValueKind::Nil => serde_json::Value::Null,
        ValueKind::Boolean(value) => (*value).into(),
        ValueKind::I64(value) => (*value).into(),
        ValueKind::U64(value) => (*value).into(),
        ValueKind::Float(value) => (*value).into(),
        ValueKind::String(value) => value.as_str().into(),
        ValueKind::Array(values) => values.iter().map(json).collect(),
        ValueKind::Table(fields) => fields.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
        other => other.to_string().into(),
    }
}
