//! What git asks a credential helper, and whether it is about the one repository there is an answer for.

use url::Url;

/// Of a question or an answer, in bytes.
pub(super) const LONGEST: u64 = 16 << 10;

/// What git wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The token for the repository.
    Get,
    /// Nothing: the token worked.
    Store,
    /// The token was refused.
    Erase,
    /// A token for something else, or something that is no question.
    Foreign,
}

/// Reads the operation's line and git's `key=value` lines after it.
pub(super) fn read(text: &str, repository: &Url) -> Question {
    let mut lines = text.lines();
    let operation = lines.next().unwrap_or_default();
    let (mut protocol, mut host, mut path) = (None, None, None);
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        match key {
            "protocol" => protocol = Some(value),
            "host" => host = Some(value),
            "path" => path = Some(value),
            _ => {}
        }
    }
    let own = protocol == Some(repository.scheme())
        && host == Some(&*authority(repository))
        && path.map(trimmed) == Some(trimmed(repository.path()));
    match operation {
        "get" if own => Question::Get,
        "store" if own => Question::Store,
        "erase" if own => Question::Erase,
        _ => Question::Foreign,
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn trimmed(path: &str) -> &str {
    path.trim_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_about_the_one_repository_are_answered() {
        let repository = Url::parse("http://127.0.0.1:8080/acme/shop.git").unwrap();
        let cases = [
            ("get\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/shop.git\n", Question::Get),
            (
                "get\ncapability[]=authtype\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/shop.git\n",
                Question::Get,
            ),
            ("erase\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/shop.git\npassword=x\n", Question::Erase),
            ("store\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/shop.git\n", Question::Store),
            ("get\nprotocol=https\nhost=127.0.0.1:8080\npath=acme/shop.git\n", Question::Foreign),
            ("get\nprotocol=http\nhost=127.0.0.1\npath=acme/shop.git\n", Question::Foreign),
            ("get\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/other.git\n", Question::Foreign),
            ("get\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/shop.git/info/lfs\n", Question::Foreign),
            ("get\nprotocol=http\nhost=127.0.0.1:8080\n", Question::Foreign),
            ("list\nprotocol=http\nhost=127.0.0.1:8080\npath=acme/shop.git\n", Question::Foreign),
            ("", Question::Foreign),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, &repository), expected, "{text:?}");
        }
    }
}
