//! What the table is made of: rules for a field, for a list, for an operation.

use serde_json::Value;

use super::words::Words;
use crate::api::ErrorCode;

/// What happens to a field of a request. `at` is a place, see [`super::place`]; what is not mentioned travels as it is.
pub(super) enum Out {
    /// It has another name, in the same object.
    Rename { at: &'static str, to: &'static str },
    /// It has other words.
    Words { at: &'static str, words: Words },
    /// It is a list; they take one text with commas.
    Commas { at: &'static str, to: &'static str },
    /// A channel by its name; they do not know channels by id.
    Channel { at: &'static str, to: &'static str },
    /// A time. They tell no gap-free one, so this many seconds are asked for again.
    Earlier { at: &'static str, seconds: u64 },
    /// They add this where nobody said otherwise.
    Default { at: &'static str, value: &'static str },
    /// They clear with an empty text.
    NullIsEmpty { at: &'static str },
    /// They would ignore it.
    Lacks { at: &'static str, instead: &'static str },
    /// They refuse a request without it.
    Needs { at: &'static str, instead: &'static str },
    /// They would fail on another word.
    OneOf { at: &'static str, words: &'static [&'static str], instead: &'static str },
    /// They would refuse, or never honour, this word.
    Never { at: &'static str, word: &'static str, instead: &'static str },
    /// They would cut a longer text, in characters.
    Text { at: &'static str, longest: usize },
    /// They would cut a longer list.
    Entries { at: &'static str, most: usize },
    /// They refuse an amount outside of this.
    Amount { at: &'static str, least: i64, most: i64 },
    /// They ignore it as a filter of a list; the answer is filtered here.
    Here {
        at: &'static str,
        /// They know this one word.
        but: Option<&'static str>,
        keep: Keep,
    },
}

/// Whether an item of a list (in our names) is what the filter asks for.
pub(super) type Keep = fn(item: &Value, wanted: &Value) -> bool;

/// What happens to an answer, in this order.
pub(super) enum In {
    /// A field has another name, in the same object.
    Rename { at: &'static str, to: &'static str },
    /// A field has other words.
    Words { at: &'static str, words: Words },
    /// The shape is another. The second value is the body that was sent, in our names.
    Shape(fn(Value, &Value) -> Value),
}

/// How a list is cut into pages.
#[derive(Clone, Copy)]
pub(super) enum List {
    /// It is none.
    None,
    /// `limit` and `offset`. Our cursor holds the offset.
    Offset { default: usize, cap: usize },
    /// All at once, at most `cap`; what lies beyond cannot be reached. Pages are cut here.
    Whole { cap: Option<usize> },
    /// `limit`, the newest. What lies beyond cannot be reached.
    Newest { default: usize, cap: usize },
}

/// An operation as they have it.
pub(super) struct Row {
    /// [`crate::api::Endpoint::NAME`].
    pub(super) name: &'static str,
    /// For query and body; no operation has both.
    pub(super) out: &'static [Out],
    /// For what stands in the envelope.
    pub(super) answer: &'static [In],
    /// How it is cut.
    pub(super) list: List,
    /// What a status means here, where it means more than [`super::answer`] knows of every operation.
    pub(super) codes: &'static [(u16, ErrorCode)],
}
