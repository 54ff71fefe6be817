use std::io::Write;

use super::*;

fn load(toml: &str, flags: &[Override]) -> Result<Config, String> {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let name = file.path().file_name().unwrap().to_str().unwrap();
    // Whichever way the path is written, absolute or relative.
    let short =
        |word: &str| if word.trim_end_matches(':').ends_with(name) { "FILE" } else { word }.to_owned();
    Config::load(Some(file.path()), flags)
        .map_err(|error| error.to_string().split(' ').map(short).collect::<Vec<_>>().join(" "))
}

#[test]
fn nothing_needs_to_be_said() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:8080");
    assert_eq!(config.limits, CallLimits::default());
    assert!(config.github.is_none() && config.forge.is_none());
}

#[test]
fn a_flag_overrules_the_file() {
    let config =
        load("[listen]\naddress = \"127.0.0.1:1\"", &[("listen.address", "127.0.0.1:2".into())]).unwrap();
    assert_eq!(config.listen.address.port(), 2);
}

#[test]
fn a_mistake_names_the_key_the_value_and_the_file() {
    for (toml, expected) in [
        (
            "[listen]\naddress = \"here\"",
            "listen.address must be an address with a port, such as 127.0.0.1:8080, not \"here\"",
        ),
        ("[database]\nurl = \"mysql://x\"", "database.url must be sqlite: and a path"),
        (
            "[database]\nurl = \"postgres://u:hunter2@h\"",
            "database.url must be like postgres://user:password@host/",
        ),
        ("[limits]\nburst = 0", "limits.burst must be from 1 to 1000000, not \"0\""),
        ("[limits]\nburst = \"many\"", "limits.burst"),
        (
            "[limits]\nfailed_authentications_per_minute = 1000001",
            "limits.failed_authentications_per_minute must be from 1 to 1000000, not \"1000001\"",
        ),
        ("[webhooks]\nallow = [\"10.0.0.0/33\"]", "webhooks.allow must be a list of networks"),
        (
            "[webhooks]\nextra_ca_file = \"nowhere.pem\"",
            "webhooks.extra_ca_file must name a file of certificates in PEM form",
        ),
        (
            "[webhooks]\nextra_ca_file = \"Cargo.toml\"",
            "webhooks.extra_ca_file must name a file of certificates in PEM form (it holds none), not \"Cargo.toml\"",
        ),
        ("[github]\napp_id = 5", "github.private_key_file must be given together with github.app_id"),
        ("[github]\napi_url = \"ftp://x\"", "github.api_url must be an http or https address"),
        ("[log]\nformat = \"xml\"", "log.format must be text or json, not \"xml\""),
        ("[listen]\nadress = \"127.0.0.1:1\"", "adress"),
        ("[lisen]\naddress = \"127.0.0.1:1\"", "lisen"),
        ("[listen", "FILE"),
    ] {
        let error = load(toml, &[]).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{toml}: {error}");
    }
    let error = load("[listen]\naddress = \"here\"", &[]).unwrap_err();
    assert!(error.ends_with("in FILE"), "{error}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let error = Config::load(Some(Path::new("nowhere.toml")), &[]).unwrap_err().to_string();
    assert!(error.starts_with("the configuration file nowhere.toml cannot be read"), "{error}");
}

#[test]
fn the_example_says_what_it_says_it_does() {
    let config = load(include_str!("../../server.example.toml"), &[]).unwrap();
    let defaults = Config::default();
    assert_eq!((config.listen.address, config.limits), (defaults.listen.address, defaults.limits));
    assert_eq!(config.database.location, defaults.database.location);
    assert_eq!((config.log, config.webhooks.allow.len()), (defaults.log, 1));
    assert_eq!(config.forge.unwrap().data_dir, Path::new("forge"));
}
