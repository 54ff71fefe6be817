//! Takes secrets out of bytes that pass by, also when one lies across the border of two chunks.

use openpod_sdk::Secret;

const MARK: &[u8] = b"[secret]";
/// Shorter texts would blacken ordinary words.
const SHORTEST: usize = 6;

/// Replaces every occurrence of a secret by `[secret]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret>,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
}

impl Redactor {
    /// Looks for these. Texts of fewer than six bytes are not looked for.
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut secrets: Vec<Secret> =
            secrets.into_iter().filter(|secret| secret.expose().len() >= SHORTEST).collect();
        // Of two that begin alike the longer one is meant.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self { secrets, held: Vec::new() }
    }

    /// Takes a chunk and gives what is surely no part of a secret.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(chunk);
        let (clean, rest) = self.pass(&bytes, true);
        self.held = bytes.split_off(rest);
        clean
    }

    /// Gives what was held back; nothing more comes.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.pass(&held, false).0
    }

    /// A whole text at once.
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.pass(text.as_bytes(), false).0).into_owned()
    }

    /// The clean bytes, and where those begin that must wait for more, if more is to come.
    fn pass(&self, bytes: &[u8], more: bool) -> (Vec<u8>, usize) {
        let texts = || self.secrets.iter().map(|secret| secret.expose().as_bytes());
        let mut clean = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if more && texts().any(|text| text.len() > rest.len() && text.starts_with(rest)) {
                break;
            }
            if let Some(text) = texts().find(|text| rest.starts_with(text)) {
                clean.extend_from_slice(MARK);
                at += text.len();
            } else {
                clean.push(bytes[at]);
                at += 1;
            }
        }
        (clean, at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Case = (&'static [&'static str], &'static [&'static [u8]], &'static str);

    fn redacted(secrets: &[&str], chunks: &[&[u8]]) -> String {
        let mut redactor = Redactor::new(secrets.iter().map(|secret| Secret::new(*secret)));
        let mut all: Vec<u8> = chunks.iter().flat_map(|chunk| redactor.push(chunk)).collect();
        all.extend(redactor.finish());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn secrets_are_found_wherever_they_lie() {
        let cases: [Case; 8] = [
            (&["ghs_abc"], &[b"a ghs_abc b"], "a [secret] b"),
            (&["ghs_abc"], &[b"a ghs", b"_a", b"bc b"], "a [secret] b"),
            (&["ghs_abc"], &[b"ghs_ab", b"d"], "ghs_abd"),
            (&["ghs_abc"], &[b"ghs_ab"], "ghs_ab"),
            (&["ghs_abc", "ghs_abcdef"], &[b"ghs_abcdef"], "[secret]"),
            (&["ghs_abc", "ghs_abcdef"], &[b"ghs_abc", b"def ghs_abc"], "[secret] [secret]"),
            (&["aaaaaab"], &[b"aaaaaaaab"], "aa[secret]"),
            (&["", "short"], &[b"short and empty stay"], "short and empty stay"),
        ];
        for (secrets, chunks, expected) in cases {
            assert_eq!(redacted(secrets, chunks), expected);
        }
    }

    proptest! {
        #[test]
        fn how_the_text_is_cut_makes_no_difference(text in "[abc]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let whole = redacted(&["abcabc", "aabbcc", "abcabcab"], &[text.as_bytes()]);
            let mut borders: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            borders.extend([0, text.len()]);
            borders.sort_unstable();
            let chunks: Vec<&[u8]> = borders.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(redacted(&["abcabc", "aabbcc", "abcabcab"], &chunks), whole.clone());
            prop_assert!(!whole.contains("abcabc") && !whole.contains("aabbcc"));
        }
    }
}
