//! What processes on one database tell each other, by NOTIFY.

use openpod_sdk::api::AgentKeyId;
use serde::{Deserialize, Serialize};

use crate::store::memory::News;

/// How many bytes the ids in one message may take: what PostgreSQL lets pass is 8,000 for all of it.
const LARGEST_PART: usize = 7_000;

/// A word, and which process says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) from: String,
    #[serde(flatten)]
    pub(super) word: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// Something was committed.
    Committed {
        /// Whether the outbox was written.
        deliveries: bool,
    },
    /// Who says this is about to commit changes of these agents' concern and of these keys, and waits for [`Word::Heard`].
    Moving {
        /// Tells what one process is about to commit at once from each other.
        number: u64,
        agents: Vec<AgentKeyId>,
        keys: Vec<String>,
    },
    /// That was committed, or it was not and will not be.
    Moved { number: u64 },
    /// Who says this has heard that `whose` changes of this number are about to be committed, and remembers nothing of them.
    Heard { whose: String, number: u64 },
}

impl Message {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` for what nobody of this version says.
    pub(super) fn parse(text: &str) -> Option<Message> {
        serde_json::from_str(text).ok()
    }
}

/// The same news in parts, each of which fits into a message.
pub(super) fn parts(news: News) -> Vec<News> {
    let (mut parts, mut size) = (Vec::new(), LARGEST_PART);
    let agents = news.agents.into_iter().map(Id::Agent);
    for id in agents.chain(news.keys.into_iter().map(Id::Key)) {
        size += id.size();
        if size > LARGEST_PART {
            parts.push(News::default());
            size = id.size();
        }
        match (parts.last_mut(), id) {
            (Some(part), Id::Agent(agent)) => part.agents.push(agent),
            (Some(part), Id::Key(key)) => part.keys.push(key),
            (None, _) => {}
        }
    }
    parts
}

enum Id {
    Agent(AgentKeyId),
    Key(String),
}

impl Id {
    /// In JSON, with the comma.
    fn size(&self) -> usize {
        let text = match self {
            Id::Agent(agent) => agent.as_str(),
            Id::Key(key) => key,
        };
        serde_json::to_string(text).map_or(text.len(), |text| text.len() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_its_way_and_what_is_none_is_nothing() {
        let (agents, keys) = (vec!["a,\"b".into()], vec!["k".to_owned()]);
        for word in [
            Word::Committed { deliveries: true },
            Word::Moving { number: 7, agents, keys },
            Word::Moved { number: u64::MAX },
            Word::Heard { whose: "them".to_owned(), number: 7 },
        ] {
            let message = Message { from: "me".to_owned(), word };
            assert_eq!(Message::parse(&message.text()), Some(message));
        }
        for none in ["", "me commits", "{}", r#"{"from":"me"}"#, r#"{"from":"me","later":{}}"#] {
            assert_eq!(Message::parse(none), None, "{none}");
        }
    }

    #[test]
    fn news_of_any_length_go_in_parts_that_fit() {
        for (agents, keys, expected) in
            [(0, 0, 0), (1, 0, 1), (0, 1, 1), (150, 5, 1), (1_000, 300, 8), (0, 400, 3)]
        {
            let id = |n: usize| format!("01978f6e-7b1c-7a70-9a2f-{n:012}");
            let news = News {
                agents: (0..agents).map(|n| id(n).into()).collect(),
                keys: (0..keys).map(id).collect(),
            };
            let parts = parts(news.clone());
            assert_eq!(parts.len(), expected, "{agents} agents, {keys} keys");
            let mut joined = News::default();
            for part in parts {
                let News { agents, keys } = part;
                joined.agents.extend(agents.clone());
                joined.keys.extend(keys.clone());
                let word = Word::Moving { number: u64::MAX, agents, keys };
                let text = Message { from: "0123456789abcdef".to_owned(), word }.text();
                assert!(text.len() < 8_000, "{} bytes", text.len());
            }
            assert_eq!(joined, news);
        }
    }
}
