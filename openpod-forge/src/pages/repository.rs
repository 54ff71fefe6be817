//! `/{owner}/{repo}`: how to clone it, and its pull requests.

use super::PageError;
use super::html::Html;
use crate::forge::Forge;
use crate::store::{Pull, PullFilter, PullSort, PullState, Repository};

/// How many pull requests are listed.
const SHOWN: i64 = 100;

pub(super) fn page(forge: &Forge, repository: &Repository) -> Result<Html, PageError> {
    let filter = PullFilter {
        state: PullState::All,
        head_ref: None,
        base_ref: None,
        sort: PullSort::Created,
        descending: true,
    };
    let (pulls, _) = forge.inner().store.read(|tx| Pull::list(tx, repository.id, &filter, SHOWN, 0))?;
    let name = repository.full_name();
    let mut page = Html::new(&name);
    page.element("h1", &name);
    page.raw("<pre><span>git clone ");
    page.text(&forge.web(&format!("/{name}.git")));
    page.raw("</span></pre>");
    page.element("h2", "Pull requests");
    if pulls.is_empty() {
        page.element("p", "There are none yet.");
    }
    page.raw("<table>");
    for pull in &pulls {
        page.raw("<tr><td>");
        super::pull::badge(&mut page, pull);
        page.raw("</td><td>");
        page.link(
            &forge.web(&format!("/{name}/pull/{}", pull.number)),
            &format!("#{} {}", pull.number, pull.title),
        );
        page.raw("</td><td>");
        page.element("code", &pull.head_ref);
        page.raw("</td></tr>");
    }
    page.raw("</table>");
    Ok(page)
}
