//! Documentation comments as text for readers who do not see the code.

use serde_json::Value;

/// Paragraphs without line breaks inside, and links to code as the bare name.
pub(super) fn plain(comment: &str) -> String {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut begins = true;
    for line in comment.lines().map(str::trim) {
        match paragraphs.last_mut() {
            _ if line.is_empty() => begins = true,
            Some(last) if !begins && !line.starts_with("- ") => {
                last.push(' ');
                last.push_str(line);
            }
            Some(last) if !begins => {
                last.push('\n');
                last.push_str(line);
            }
            _ => {
                paragraphs.push(line.to_owned());
                begins = false;
            }
        }
    }
    without_links(&paragraphs.join("\n\n"))
}

/// [`super::Ticket`] in brackets and ticks becomes `Ticket` in ticks.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        out.push_str(before);
        let Some((path, tail)) = after.split_once("`]") else {
            out.push_str("[`");
            rest = after;
            continue;
        };
        let name = path.rsplit("::").next().unwrap_or(path);
        out.push_str(&format!("`{name}`"));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// What stands before the first full stop that ends a sentence.
pub(super) fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at);
    paragraph[..end].trim_end_matches('.').trim_start_matches("An extension: ").to_owned()
}

/// Cleans every description of a document, and drops defaults, which say how an older server's answer is read.
pub(super) fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("default").is_some_and(|value| !value.is_object()) {
                fields.remove("default");
            }
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = plain(text);
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(entries) => entries.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_joined_and_links_are_names() {
        let comment = " Judges, as\n [`crate::api::tickets::ApproveTicket`] does.\n\n Fails with `x`.";
        assert_eq!(plain(comment), "Judges, as `ApproveTicket` does.\n\nFails with `x`.");
        assert_eq!(plain("Words:\n\n- `a`: one\n- `b`: two"), "Words:\n\n- `a`: one\n- `b`: two");
        assert_eq!(first_sentence("An extension: who is it. And more."), "who is it");
    }
}
