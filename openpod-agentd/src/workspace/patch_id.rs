//! The same name for the same patch, wherever its base and its lines have moved.
//!
//! Of a diff, what names objects and places is left out: the `index` lines and the numbers of a hunk. All else counts,
//! whitespace and modes too: an indentation or an executable bit can be the whole of a ticket.

use sha2::{Digest, Sha256};

/// Takes a diff in chunks.
#[derive(Default)]
pub(super) struct PatchId {
    hash: Sha256,
    line: Vec<u8>,
}

impl PatchId {
    pub(super) fn update(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    pub(super) fn finalize(mut self) -> [u8; 32] {
        self.end_line();
        self.hash.finalize().into()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.starts_with(b"@@ ") {
            self.hash.update(b"@@\n");
        } else if !line.starts_with(b"index ") {
            self.hash.update(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "diff --git a/f b/f\nindex 1111..2222 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n one\n+two\n three\n";

    fn id(text: &str, chunk: usize) -> [u8; 32] {
        let mut id = PatchId::default();
        text.as_bytes().chunks(chunk).for_each(|chunk| id.update(chunk));
        id.finalize()
    }

    #[test]
    fn places_and_objects_do_not_count_and_all_else_does() {
        let moved = PATCH.replace("1111..2222", "3333..4444").replace("-1,2 +1,3", "-7,2 +9,3");
        assert_eq!(id(PATCH, 1000), id(&moved, 1000));
        for (from, to) in
            [("+two", "+two "), ("+two", "+index 1"), ("a/f", "a/g"), ("100644", "100644\nnew mode 100755")]
        {
            assert_ne!(id(PATCH, 1000), id(&PATCH.replacen(from, to, 1), 1000), "{to}");
        }
    }

    #[test]
    fn the_border_of_a_chunk_does_not_count() {
        for chunk in [1, 2, 7] {
            assert_eq!(id(PATCH, chunk), id(PATCH, 1000));
        }
    }
}
