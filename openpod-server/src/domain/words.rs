//! What somebody searches for: the words of a text, without what a search engine would take for its own syntax.

/// At least one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of a text; `None` when it has none. A word is what stands between white space and has a letter or a
    /// digit in it.
    pub fn of(text: &str) -> Option<Words> {
        let words = text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
        let words: Vec<String> = words.map(str::to_owned).collect();
        (!words.is_empty()).then_some(Words(words))
    }

    /// The words, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_letter_or_digit_is_no_word() {
        let words = |text: &str| Words::of(text).map(|words| words.0);
        assert_eq!(
            words(" schema  \"design\" * 🦀 v2 "),
            Some(vec!["schema".into(), "\"design\"".into(), "v2".into()])
        );
        for text in ["", "   ", "***", "🦀 🦀", "\" ( ) : ^ -"] {
            assert_eq!(words(text), None, "{text}");
        }
    }
}
