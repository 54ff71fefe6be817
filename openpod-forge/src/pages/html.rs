//! HTML in which every text is escaped, with a policy that runs no script and loads nothing.

use std::fmt::Write;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1f2328}\
a{color:#0969da}h1{font-size:1.6rem}h2{font-size:1.1rem;margin-top:2rem}\
.badge{border-radius:1rem;padding:.1rem .7rem;color:#fff;background:#57606a}\
.open,.success{background:#1a7f37}.merged{background:#8250df}.closed,.failure,.error{background:#cf222e}\
.text{white-space:pre-wrap}table{border-collapse:collapse}td{padding:.2rem 1rem .2rem 0;vertical-align:top}\
code,pre{font:13px/1.45 ui-monospace,monospace}pre{border:1px solid #d1d9e0;border-radius:6px;overflow:auto;padding:.5rem 0}\
pre span{display:block;padding:0 .7rem;min-height:1.45em}.add{background:#dafbe1}.del{background:#ffebe9}.hunk{background:#ddf4ff}";

/// A page that grows from top to bottom.
pub(super) struct Html(String);

impl Html {
    pub(super) fn new(title: &str) -> Self {
        let mut page =
            Self(String::from("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>"));
        page.text(title);
        page.raw("</title><meta name=\"viewport\" content=\"width=device-width\"><style>");
        page.raw(STYLE);
        page.raw("</style></head><body>");
        page
    }

    /// Markup of this program's own.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Text of anybody's, escaped for content and for attributes in double quotes.
    pub(super) fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Text that runs the other way could make a diff look like another.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    // Writing to a String cannot fail.
                    let _ = write!(self.0, "&lt;U+{:04X}&gt;", u32::from(letter));
                }
                _ => self.0.push(letter),
            }
        }
    }

    pub(super) fn element(&mut self, tag: &'static str, text: &str) {
        self.open(tag, "");
        self.text(text);
        self.close(tag);
    }

    pub(super) fn classed(&mut self, tag: &'static str, class: &str, text: &str) {
        self.open(tag, class);
        self.text(text);
        self.close(tag);
    }

    pub(super) fn open(&mut self, tag: &'static str, class: &str) {
        self.raw("<");
        self.raw(tag);
        if !class.is_empty() {
            self.raw(" class=\"");
            self.text(class);
            self.raw("\"");
        }
        self.raw(">");
    }

    pub(super) fn close(&mut self, tag: &'static str) {
        self.raw("</");
        self.raw(tag);
        self.raw(">");
    }

    /// A link to an address of this forge.
    pub(super) fn link(&mut self, address: &str, text: &str) {
        self.raw("<a href=\"");
        self.text(address);
        self.raw("\">");
        self.text(text);
        self.raw("</a>");
    }

    pub(super) fn into_response(mut self, status: StatusCode) -> Response<Body> {
        self.raw("</body></html>");
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let mut response = Response::new(Body::from(self.0));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut page = Html::new("</title><script>");
        page.classed("p", "\"><script>", "<img src=x onerror='a'>&\u{202e}");
        page.link("\"><script>", "<b>");
        assert!(
            !page.0.contains("<script>") && !page.0.contains("<img") && !page.0.contains("<b>"),
            "{}",
            page.0
        );
        assert!(page.0.contains("&lt;U+202E&gt;"));
    }
}
