//! Pages of lists, and the Link header that leads from one to the next.

use axum::http::header;
use serde_json::Value;

use super::answer::{Answer, ApiError};
use super::call::Call;

const DEFAULT_SIZE: usize = 30;
const MAX_SIZE: usize = 100;

/// One page, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub number: usize,
    pub size: usize,
}

impl Page {
    /// From `page` and `per_page`. What makes no sense is the default, as on GitHub.
    pub(crate) fn of(call: &Call) -> Self {
        let read = |name| call.query(name).and_then(|text| text.parse::<usize>().ok()).filter(|n| *n > 0);
        let size = read("per_page").unwrap_or(DEFAULT_SIZE).min(MAX_SIZE);
        Self { number: read("page").unwrap_or(1).min(1_000_000), size }
    }

    pub(crate) fn offset(self) -> usize {
        (self.number - 1) * self.size
    }

    fn last(self, total: usize) -> usize {
        total.div_ceil(self.size).max(1)
    }

    /// This page of a list that is at hand as a whole.
    pub(crate) fn cut<T>(self, all: Vec<T>) -> (Vec<T>, usize) {
        let total = all.len();
        (all.into_iter().skip(self.offset()).take(self.size).collect(), total)
    }

    /// The answer with its Link header, if there is more than this page.
    pub(crate) fn answer(self, call: &Call, body: Value, total: usize) -> Result<Answer, ApiError> {
        let answer = Answer::ok(body);
        let last = self.last(total);
        let mut targets = Vec::new();
        if self.number > 1 {
            targets.push(("prev", (self.number - 1).min(last)));
        }
        if self.number < last {
            targets.extend([("next", self.number + 1), ("last", last)]);
        }
        if self.number > 1 {
            targets.push(("first", 1));
        }
        let links: Vec<String> = targets
            .into_iter()
            .map(|(rel, page)| format!("<{}>; rel=\"{rel}\"", address(call, page)))
            .collect();
        Ok(if links.is_empty() { answer } else { answer.header(header::LINK, links.join(", ")) })
    }
}

/// This request's address with another page. A repository is named by its number there, as on GitHub, so that the links
/// outlive a new name; clients must follow them and not build them.
fn address(call: &Call, page: usize) -> String {
    let path = call.target.split('?').next().unwrap_or_default();
    let path = match (&call.repository, path.strip_prefix("/repos/")) {
        (Some(repository), Some(rest)) => {
            let rest = rest.splitn(3, '/').nth(2).map(|rest| format!("/{rest}")).unwrap_or_default();
            format!("/repositories/{}{rest}", repository.id)
        }
        _ => path.to_owned(),
    };
    let kept = call.query.iter().filter(|(key, _)| key != "page").cloned();
    let query: Vec<_> = kept.chain([("page".to_owned(), page.to_string())]).collect();
    let query = serde_html_form::to_string(query).unwrap_or_default();
    call.forge.api(&format!("{path}?{query}"))
}
