//! What goes wrong when a client that knows only the API reference speaks to the deployed service: 61 traps, each with
//! a test of its number.

#[path = "traps/answering.rs"]
mod answering;
#[path = "traps/finding.rs"]
mod finding;
#[path = "traps/on_github.rs"]
mod on_github;
#[path = "traps/talking.rs"]
mod talking;
#[path = "traps/working.rs"]
mod working;

const TESTS: [&str; 5] = [
    include_str!("traps/finding.rs"),
    include_str!("traps/working.rs"),
    include_str!("traps/talking.rs"),
    include_str!("traps/on_github.rs"),
    include_str!("traps/answering.rs"),
];

fn number(name: &str) -> Option<u8> {
    name.strip_prefix("trap_")?.get(..2)?.parse().ok()
}

#[test]
fn every_trap_has_a_test_in_its_order() {
    let lines = TESTS.iter().flat_map(|source| source.lines());
    let tests = lines.filter_map(|line| number(line.trim_start_matches("async ").strip_prefix("fn ")?));
    assert_eq!(tests.collect::<Vec<u8>>(), (1..=61).collect::<Vec<u8>>());
}
