use std::collections::BTreeMap;
use std::io::Write;

use super::*;

const GOOD: &str = r#"
data_dir = "/var/lib/openpod"
[server]
url = "https://openpod.work"
[executor]
command = ["/bin/true"]
"#;

fn written(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let file = written(text);
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let layers = Layers { file: Some(file.path().to_owned()), environment, flags: Vec::new() };
    load(layers)
        .and_then(Loaded::validate)
        .map_err(|error| error.to_string().replace(file.path().to_str().unwrap(), "agentd.toml"))
}

#[test]
fn what_is_not_said_has_a_default() {
    let config = read(GOOD, &[]).unwrap();
    assert_eq!(config.heartbeat.interval.as_secs(), 30);
    assert_eq!(config.agents[0].policy.tickets.max_concurrent, 1);
    assert_eq!(config.executor.limits.grace.as_secs(), 10);
    assert!(config.webhook.is_none());
    assert!(matches!(&config.agents[0].key, KeySource::File(path) if path.ends_with("openpod/agent.key")));
}

#[test]
fn a_budget_has_its_defaults_where_nothing_is_said_and_no_limit_where_zero_is() {
    let seconds = std::time::Duration::from_secs;
    let usual = read(GOOD, &[]).unwrap().brakes.budgets;
    assert_eq!((usual.ticket.runs, usual.ticket.run_time), (Some(20), Some(seconds(86_400))));
    assert_eq!((usual.ticket.tokens, usual.day.runs, usual.daemon.cost_micros), (None, None, None));
    let text = format!("{GOOD}[brakes.ticket]\nrun_seconds = 0\ncost_usd = 2.5\n[brakes.day]\nruns = 7\n");
    let told = read(&text, &[]).unwrap().brakes.budgets;
    assert_eq!((told.ticket.runs, told.ticket.run_time), (Some(20), None));
    assert_eq!((told.ticket.cost_micros, told.day.runs), (Some(2_500_000), Some(7)));
}

#[test]
fn how_the_platform_speaks_is_left_to_the_key_unless_it_is_said() {
    let said = |line: &str| {
        let server = read(&GOOD.replace("[server]", &format!("[server]\n{line}")), &[])?.server;
        Ok::<_, String>((server.dialect, server.requests_per_minute))
    };
    assert_eq!((said(""), said("dialect = \"auto\"")), (Ok((None, None)), Ok((None, None))));
    assert_eq!(said("dialect = \"documented\""), Ok((Some(Dialect::Documented), None)));
    let both = "dialect = \"deployed\"\nrequests_per_minute = 30";
    assert_eq!(said(both), Ok((Some(Dialect::Deployed), Some(30))));
    let wrong = said("dialect = \"old\"").unwrap_err();
    assert!(
        wrong.contains("server.dialect = \"old\"") && wrong.contains("auto, documented or deployed"),
        "{wrong}"
    );
    let wrong = said("requests_per_minute = 0").unwrap_err();
    assert!(wrong.contains("server.requests_per_minute = 0") && wrong.contains("at least 1"), "{wrong}");
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let environment = [
        ("OPENPOD_AGENTD_HEARTBEAT__INTERVAL_SECONDS", "5"),
        ("OPENPOD_AGENTD_EXECUTOR__COMMAND", "/bin/sh,worker.sh"),
        ("OPENPOD_AGENTD_SERVER__KEY", "opk_test"),
        ("PATH", "/bin"),
    ];
    let config = read(GOOD, &environment).unwrap();
    assert_eq!(config.heartbeat.interval.as_secs(), 5);
    assert_eq!(config.executor.command, ["/bin/sh", "worker.sh"]);
    assert!(matches!(&config.agents[0].key, KeySource::Given(key) if key.expose() == "opk_test"));

    let file = written(GOOD);
    let flags = vec![("server.url", "http://127.0.0.1:1".into())];
    let layers = Layers { file: Some(file.path().to_owned()), flags, ..Layers::default() };
    assert_eq!(load(layers).unwrap().validate().unwrap().server.url, "http://127.0.0.1:1");
}

#[test]
fn a_mistake_names_key_value_and_file() {
    let table = [
        (
            "[heartbeat]\ninterval_seconds = \"often\"",
            "heartbeat.interval_seconds = \"often\" (in agentd.toml): ",
        ),
        (
            "[heartbeat]\ninterval_seconds = 0",
            "heartbeat.interval_seconds = 0 (in agentd.toml): must be from 0.05 to 3600 seconds",
        ),
        (
            "[heartbeat]\nintervall = 3",
            "heartbeat.intervall = 3 (in agentd.toml): is not known here; known are interval_seconds, jitter, look_again_seconds, scout_seconds",
        ),
        ("[hartbeat]\njitter = 1", "hartbeat (in agentd.toml): is not known here"),
        (
            "[policy.tickets]\nfinish_as = \"todo\"",
            "policy.tickets.finish_as = \"todo\" (in agentd.toml): must be in_review or done",
        ),
        (
            "[policy.tickets]\npriorities = [\"high\", \"now\"]",
            "policy.tickets.priorities = [\"high\",\"now\"] (in agentd.toml): must be of low, medium, high, urgent",
        ),
        (
            "[policy.tickets]\nmax_concurrent = 0",
            "policy.tickets.max_concurrent = 0 (in agentd.toml): must be from 1",
        ),
        ("[policy.tickets]\nmax_attempts = -1", "policy.tickets.max_attempts = -1 (in agentd.toml): "),
        (
            "[webhook]\nlisten = \"8787\"",
            "webhook.listen = \"8787\" (in agentd.toml): must be an address and port",
        ),
        (
            "[webhook]\nlisten = \"127.0.0.1:1\"\nsecret = \"whsec_short\"",
            "webhook.secret = [secret] (in agentd.toml): a webhook secret that begins with whsec_",
        ),
        (
            "[webhook]\npublic_url = \"http://a.example\"",
            "webhook.public_url = \"http://a.example\" (in agentd.toml): needs",
        ),
        ("[git]\nbranch_prefix = \"a b/\"", "git.branch_prefix = \"a b/\" (in agentd.toml): must be letters"),
        (
            "[executor]\nenvironment = [\"OPENPOD_AGENTD_SERVER__KEY\"]",
            "executor.environment = [\"OPENPOD_AGENTD_SERVER__KEY\"] (in agentd.toml): must be names",
        ),
        (
            "[executor]\nreadable = [\"tools\"]",
            "executor.readable = [\"tools\"] (in agentd.toml): must be full paths, which tools is not",
        ),
        (
            "[executor]\nsandbox = \"chroot\"",
            "executor.sandbox = \"chroot\" (in agentd.toml): must be landlock or off",
        ),
        (
            "[executor]\nfile_bytes = 2097152",
            "executor.file_bytes = 2097152 (in agentd.toml): must be at least output_bytes",
        ),
        (
            "[executor]\non_stop = \"wait\"",
            "executor.on_stop = \"wait\" (in agentd.toml): must be leave or kill",
        ),
        (
            "[brakes.day]\ncost_usd = -1.5",
            "brakes.day.cost_usd = -1.5 (in agentd.toml): must be from 0 to 1000000000 dollars",
        ),
        (
            "[retention]\nfinished_days = -1.0",
            "retention.finished_days = -1.0 (in agentd.toml): must be from 0 to 36500 days",
        ),
        ("[retention]\nmirror_packs = 1", "retention.mirror_packs = 1 (in agentd.toml): must be at least 2"),
        ("[brakes]\nstill_runs = 0", "brakes.still_runs = 0 (in agentd.toml): must be from 1 to 100"),
        (
            "[policy.tickets]\non_give_up = \"sulk\"",
            "policy.tickets.on_give_up = \"sulk\" (in agentd.toml): ",
        ),
        ("not toml", "configuration file (in agentd.toml): "),
    ];
    for (text, expected) in table {
        let text = if text.contains("[executor]") {
            GOOD.replace("[executor]", text)
        } else {
            format!("{GOOD}{text}")
        };
        let refused = read(&text, &[]).unwrap_err();
        assert!(refused.contains(expected), "{text}\nsaid {refused}\nnot {expected}");
    }
}

#[test]
fn a_mistake_in_the_environment_says_so() {
    let refused = read(GOOD, &[("OPENPOD_AGENTD_HEARTBEAT__JITTER", "2")]).unwrap_err();
    assert!(refused.contains("heartbeat.jitter = 2 (in the environment): must be from 0 to 1"), "{refused}");
    let refused = read(GOOD, &[("OPENPOD_AGENTD_SERVR__URL", "x")]).unwrap_err();
    assert!(refused.contains("servr (in the environment): is not known here"), "{refused}");
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let refused = RawConfig::default().validate().unwrap_err();
    let keys: Vec<&str> = refused.mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["data_dir", "server.url", "executor.command"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let layers = Layers { file: Some("/nowhere/agentd.toml".into()), ..Layers::default() };
    let refused = load(layers).err().unwrap().to_string();
    assert!(refused.contains("/nowhere/agentd.toml"), "{refused}");
}

#[test]
fn registering_asks_for_a_name_and_capabilities_only() {
    let text = "data_dir = \"d\"\n[server]\nurl = \"https://openpod.work\"\n[agent]\nname = \"crab\"\ncapabilities = [\"rust\"]";
    let file = written(text);
    let loaded = load(Layers { file: Some(file.path().to_owned()), ..Layers::default() }).unwrap();
    assert_eq!(loaded.validate_registration().unwrap().agent.name, "crab");

    let mut raw = RawConfig::default();
    raw.agent.name = Some("x".into());
    let refused = raw.validate_registration().unwrap_err().to_string();
    assert!(refused.contains("agent.name = \"x\": must have at least 2 characters"), "{refused}");
    assert!(refused.contains("agent.capabilities = []: "), "{refused}");
}

#[test]
fn the_example_names_every_key_and_is_right() {
    let text = include_str!("../../agentd.example.toml");
    let config = read(text, &[]).unwrap();
    assert!(config.webhook.is_some());

    let example: toml::Table = text.parse().unwrap();
    let example = serde_json::to_value(example).unwrap();
    let known = serde_json::to_value(RawConfig::default()).unwrap();
    let mut missing = Vec::new();
    for (section, keys) in known.as_object().unwrap() {
        let named = |path: &str| {
            example.pointer(path).is_some()
                || text.contains(&format!("# {} = ", path.rsplit('/').next().unwrap()))
                || text.contains(&format!("# [[{}]]", path.trim_start_matches('/')))
        };
        match keys.as_object() {
            None => missing.extend((!named(&format!("/{section}"))).then(|| section.clone())),
            Some(keys) => {
                missing.extend(keys.keys().map(|key| format!("/{section}/{key}")).filter(|path| !named(path)))
            }
        }
    }
    for section in ["policy", "brakes"] {
        for (part, keys) in known[section].as_object().unwrap() {
            let keys = keys.as_object().into_iter().flat_map(|keys| keys.keys());
            let paths = keys.map(|key| format!("/{section}/{part}/{key}"));
            missing.extend(paths.filter(|path| example.pointer(path).is_none()));
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn several_agents_share_the_policy_but_for_what_each_has_of_its_own() {
    let text = format!(
        "max_runs = 2\n{GOOD}\n[policy.tickets]\nmax_attempts = 5\n\
         [[agents]]\nname = \"crab\"\n[agents.policy.tickets]\nclaim_unassigned = true\nmax_concurrent = 2\n\
         [[agents]]\nname = \"eel\"\nkey_file = \"/etc/keys/eel\"\n"
    );
    let config = read(&text, &[]).unwrap();
    let [crab, eel] = &config.agents[..] else { panic!("{:?}", config.agents) };
    assert_eq!(config.max_runs, Some(2));
    let policy = |agent: &AgentSettings| {
        let tickets = &agent.policy.tickets;
        (tickets.claim_unassigned, tickets.max_concurrent, tickets.max_attempts)
    };
    assert_eq!((policy(crab), policy(eel)), ((true, 2, 5), (false, 1, 5)));
    assert!(matches!(&crab.key, KeySource::File(path) if path.ends_with("agents/crab/agent.key")));
    assert!(matches!(&eel.key, KeySource::File(path) if path == Path::new("/etc/keys/eel")));
    assert_ne!(crab.directory, eel.directory);
}

#[test]
fn a_mistake_about_one_of_several_agents_names_it() {
    let table = [
        ("name = \"a/b\"", "agents[0].name = \"a/b\" (in agentd.toml): must be 1 to 64 of"),
        ("key = \"opk_a\"", "agents[0].name: must be 1 to 64 of"),
        ("name = \"crab\"\nkey = \" \"", "agents[0].key = [secret] (in agentd.toml): must not be empty"),
        (
            "name = \"crab\"\nkeyfile = \"k\"",
            "agents[0].keyfile = \"k\" (in agentd.toml): is not known here; known are",
        ),
        (
            "name = \"crab\"\n[agents.policy.tickets]\nmax_runs = 1",
            "agents[0].policy.tickets.max_runs = 1 (in agentd.toml): is not known here",
        ),
        (
            "name = \"crab\"\n[agents.policy.tickets]\nmax_concurrent = 0",
            "agents[0].policy.tickets.max_concurrent = 0 (in agentd.toml): must be from 1",
        ),
        (
            "name = \"crab\"\n[agents.policy.tickets]\nmax_concurrent = \"two\"",
            "agents[0].policy.tickets.max_concurrent = \"two\" (in agentd.toml): ",
        ),
        (
            "name = \"crab\"\n[[agents]]\nname = \"Crab\"",
            "agents[1].name = \"Crab\" (in agentd.toml): must differ",
        ),
        (
            "name = \"crab\"\n[policy.tickets]\nmax_attempts = 0",
            "policy.tickets.max_attempts = 0 (in agentd.toml): must be from 1",
        ),
    ];
    for (text, expected) in table {
        let refused = read(&format!("{GOOD}\n[[agents]]\n{text}\n"), &[]).unwrap_err();
        assert!(refused.contains(expected), "{refused}\nshould have named: {expected}");
        assert!(!refused.contains("opk_"), "{refused}");
    }
    let text = GOOD.replace("[server]", "[[agents]]\nname = \"crab\"\n[server]\nkey = \"opk_a\"");
    let refused = read(&text, &[]).unwrap_err();
    assert!(refused.contains("server.key = [secret] (in agentd.toml): is the key of one agent"), "{refused}");
}
