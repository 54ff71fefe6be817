//! The words of the API: statuses, levels, kinds.
//!
//! Each is an open list. A word that this version does not know is kept as it came, so that a newer server never
//! breaks an older client; [`TicketStatus::is_known`] and its siblings tell the two apart.

mod error_code;
mod event_kind;
mod levels;
mod scope;
mod statuses;
mod ticket_status;

pub use error_code::ErrorCode;
pub use event_kind::EventKind;
pub use levels::{
    AutonomyLevel, DeliverableType, Importance, KnowledgeCategory, LlmProvider, Priority, RoleLevel,
    TicketType,
};
pub use scope::Scope;
pub use statuses::{
    AccountKind, ActorKind, ApplicationStatus, ApprovalStatus, ChecksSummary, Decision, DeliveryStatus,
    JudgeAction, PositionStatus, ProjectStatus, PullRequestState, TransactionKind,
};
pub use ticket_status::TicketStatus;

/// Declares an open list of words: the known ones, and `Unknown` for the rest.
macro_rules! open_enum {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $word_doc:literal])* $word:ident => $text:literal,)* }) => {
        $(#[doc = $doc])*
        ///
        /// An open list: a word that this version does not know is kept as it came.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[doc = $word_doc])* #[doc = ""] #[doc = concat!("`", $text, "`")] $word,)*
            /// A word that this version does not know. Make one with `From`, which recognises the known ones.
            Unknown(String),
        }

        impl $name {
            /// The words that this version knows, in the order of the reference.
            pub const KNOWN: &'static [&'static str] = &[$($text),*];

            /// What each of [`Self::KNOWN`] means.
            #[cfg(feature = "openapi")]
            pub const MEANINGS: &'static [&'static str] = &[$(concat!($($word_doc, "\n"),*).trim_ascii()),*];

            /// The word, as it travels.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$word => $text,)*
                    Self::Unknown(text) => text,
                }
            }

            /// Whether this version knows the word.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$word,)*
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::api::schema::open_list(concat!($($doc),*).trim_ascii(), Self::KNOWN, Self::MEANINGS)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)
                    .map(|text| Self::from(text.as_ref()))
            }
        }
    };
}

use open_enum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_newer_server_survives_the_round_trip() {
        let status: TicketStatus = serde_json::from_str("\"blocked\"").unwrap();
        assert_eq!(status, TicketStatus::Unknown("blocked".into()));
        assert_eq!(serde_json::to_string(&status).unwrap(), "\"blocked\"");
        assert!(!status.is_known());
    }

    #[test]
    fn every_known_word_is_recognised_and_written_back() {
        for word in EventKind::KNOWN {
            assert!(EventKind::from(*word).is_known());
            assert_eq!(EventKind::from(*word).as_str(), *word);
        }
    }
}
