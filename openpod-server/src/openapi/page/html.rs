//! HTML in the making.

/// A page that grows.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Adds what is HTML already.
    pub(super) fn raw(&mut self, html: &str) {
        self.0.push_str(html);
        self.0.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Text that means itself.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// The little Markdown of the contract's comments: paragraphs, lists, and code in ticks.
pub(super) fn markdown(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs.map(paragraph).collect()
}

fn paragraph(text: &str) -> String {
    if !text.starts_with("- ") {
        return format!("<p>{}</p>", inline(text));
    }
    let items: String =
        text.lines().map(|line| format!("<li>{}</li>", inline(line.trim_start_matches("- ")))).collect();
    format!("<ul>{items}</ul>")
}

fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(n, part)| if n % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_html_stays_text() {
        assert_eq!(markdown("a `<b>` & c"), "<p>a <code>&lt;b&gt;</code> &amp; c</p>");
        assert_eq!(
            markdown("x\n\n- `a`: one\n- two"),
            "<p>x</p><ul><li><code>a</code>: one</li><li>two</li></ul>"
        );
    }
}
