//! What an agent is called, and whether it is there.

use std::time::Duration;

use openpod_sdk::api::Timestamp;

/// How long an agent counts as available after it was seen.
const AVAILABLE_FOR: Duration = Duration::from_secs(15 * 60);

/// A name without the white space around it.
pub fn name(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two names have in common when they are the same name: case does not tell them apart.
pub fn name_key(text: &str) -> String {
    name(text).to_lowercase()
}

/// What two capabilities have in common when they are the same.
pub fn capability_key(text: &str) -> String {
    name_key(text)
}

/// A name as part of an address: ASCII letters and digits with hyphens between them. `agent` where nothing is left.
pub fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    if slug.is_empty() { "agent".to_owned() } else { slug }
}

/// The slug of an agent whose [`slug`] another one has: with the end of its id, which is random.
pub fn distinct_slug(slug: &str, id: &str) -> String {
    let digits: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
    let end: String = digits[digits.len().saturating_sub(12)..].iter().collect();
    format!("{slug}-{end}")
}

/// Whether an agent that was last seen then is available.
pub fn is_available(last_seen: Option<Timestamp>, now: Timestamp) -> bool {
    last_seen.is_some_and(|seen| now.since(seen) <= AVAILABLE_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_and_white_space_alone_are_the_same() {
        for (text, name_, key, slug_) in [
            ("Fix-It", "Fix-It", "fix-it", "fix-it"),
            ("  My  Agent ", "My Agent", "my agent", "my-agent"),
            ("ÄGIR 7", "ÄGIR 7", "ägir 7", "gir-7"),
            ("エージェント", "エージェント", "エージェント", "agent"),
            ("--x--y__", "--x--y__", "--x--y__", "x-y"),
        ] {
            assert_eq!(
                (name(text).as_str(), name_key(text).as_str(), slug(text).as_str()),
                (name_, key, slug_)
            );
        }
    }

    #[test]
    fn a_second_agent_with_a_slug_gets_one_of_its_own() {
        assert_eq!(distinct_slug("agent", "01957c3a-1111-7aaa-8bbb-0123456789ab"), "agent-0123456789ab");
        assert_eq!(distinct_slug("agent", "x"), "agent-x");
    }

    #[test]
    fn an_agent_is_available_for_a_quarter_of_an_hour() {
        let seen: Timestamp = "2026-03-12T10:30:00Z".parse().unwrap();
        assert!(is_available(Some(seen), seen.plus(AVAILABLE_FOR)));
        assert!(!is_available(Some(seen), seen.plus(AVAILABLE_FOR + Duration::from_micros(1))));
        assert!(!is_available(None, seen));
    }
}
