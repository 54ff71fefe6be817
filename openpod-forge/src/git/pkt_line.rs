//! Git's framing: four hexadecimal digits of length, then the text; `0000` is a flush.

/// The longest payload of one line.
const MAX_PAYLOAD: usize = 65_516;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Line(&'a [u8]),
    Flush,
}

/// The bytes are not framed as git frames them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not in git's pkt-line form")]
pub(crate) struct Malformed;

/// The first frame and how many bytes it takes; `None` when more bytes are needed.
pub(crate) fn next(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    let Some(head) = bytes.get(..4) else { return Ok(None) };
    let text = std::str::from_utf8(head).map_err(|_| Malformed)?;
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    let length = usize::from_str_radix(text, 16).map_err(|_| Malformed)?;
    match length {
        0 => Ok(Some((Frame::Flush, 4))),
        1..=3 => Err(Malformed),
        _ => Ok(bytes.get(4..length).map(|payload| (Frame::Line(payload), length))),
    }
}

/// Appends one line.
pub(crate) fn push(out: &mut Vec<u8>, payload: &[u8]) {
    for part in payload.chunks(MAX_PAYLOAD) {
        out.extend_from_slice(format!("{:04x}", part.len() + 4).as_bytes());
        out.extend_from_slice(part);
    }
}

/// Appends a flush.
pub(crate) fn push_flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_one_after_another_and_incomplete_ones_wait() {
        let mut bytes = Vec::new();
        push(&mut bytes, b"hello\n");
        push_flush(&mut bytes);
        assert_eq!(bytes, b"000ahello\n0000");
        assert_eq!(next(&bytes), Ok(Some((Frame::Line(b"hello\n"), 10))));
        assert_eq!(next(&bytes[10..]), Ok(Some((Frame::Flush, 4))));
        for short in 0..10 {
            assert_eq!(next(&bytes[..short]), Ok(None), "{short}");
        }
        for bad in ["0003", "zzzz", "+00a", "PACK"] {
            assert_eq!(next(bad.as_bytes()), Err(Malformed), "{bad}");
        }
    }
}
