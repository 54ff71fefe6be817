//! `/{owner}/{repo}/pull/{number}`: what it brings, what was reported and said about it, and its diff.

use std::collections::HashSet;

use super::html::Html;
use super::{Page, PageError};
use crate::forge::Forge;
use crate::git::{Bare, FileDiff, GitError, Oid};
use crate::store::{CheckRun, Comment, Pull, Repository, Status};

/// How many lines of a diff are shown.
const MAX_LINES: usize = 5000;

/// The page, or the plain diff or patch for `<number>.diff` and `<number>.patch`.
pub(super) fn page(
    forge: &Forge,
    repository: &Repository,
    pull: &Pull,
    form: &str,
) -> Result<Page, PageError> {
    let bare = forge.bare(repository);
    let (from, head) = span(&bare, pull)?;
    match form {
        "" => {}
        "diff" => return Ok(Page::Text(bare.diff_text(Some(&from), &head)?)),
        "patch" => return Ok(Page::Text(bare.mails(&from, &head)?)),
        _ => return Err(PageError::NotFound),
    }
    let mut page = Html::new(&format!("{} · #{}", pull.title, pull.number));
    summary(&mut page, forge, repository, pull);
    page.element("h2", "Commits");
    page.raw("<table>");
    for commit in bare.commits_between(&from, &head)? {
        page.raw("<tr><td>");
        page.element("code", &commit.oid.as_str()[..10]);
        page.raw("</td><td>");
        page.text(commit.message.lines().next().unwrap_or_default());
        page.raw("</td><td>");
        page.text(&format!("{}, {}", commit.author.name, commit.author.at));
        page.raw("</td></tr>");
    }
    page.raw("</table>");
    reports(&mut page, forge, repository, pull)?;
    conversation(&mut page, forge, repository, pull)?;
    page.element("h2", "Changes");
    diff(&mut page, &bare.changed_files(Some(&from), &head)?);
    Ok(Page::Html(page))
}

/// Open, merged or closed.
pub(super) fn badge(page: &mut Html, pull: &Pull) {
    let state = match (pull.open, pull.merged_at) {
        (true, _) => "open",
        (false, Some(_)) => "merged",
        (false, None) => "closed",
    };
    page.classed("span", &format!("badge {state}"), state);
}

fn span(bare: &Bare, pull: &Pull) -> Result<(Oid, Oid), GitError> {
    bare.span(pull.open, &pull.base_ref, &pull.base_sha, &pull.head_sha)
}

fn summary(page: &mut Html, forge: &Forge, repository: &Repository, pull: &Pull) {
    let name = repository.full_name();
    page.link(&forge.web(&format!("/{name}")), &name);
    page.element("h1", &format!("{} #{}", pull.title, pull.number));
    page.raw("<p>");
    badge(page, pull);
    page.text(&format!(" {} wants to bring ", pull.author.login));
    page.element("code", &pull.head_ref);
    page.raw(" into ");
    page.element("code", &pull.base_ref);
    page.raw("</p>");
    if let Some(body) = &pull.body {
        page.classed("p", "text", body);
    }
}

fn reports(page: &mut Html, forge: &Forge, repository: &Repository, pull: &Pull) -> Result<(), PageError> {
    let (runs, statuses) = forge.inner().store.read(|tx| {
        let runs = CheckRun::on_commit(tx, repository.id, &pull.head_sha)?;
        Ok((runs, Status::on_commit(tx, repository.id, &pull.head_sha)?))
    })?;
    let runs = runs.iter().map(|run| {
        let verdict = run.conclusion.as_ref().unwrap_or(&run.status);
        (verdict, &run.name, run.output.title.as_ref())
    });
    let statuses = statuses.iter().map(|one| (&one.state, &one.context, one.description.as_ref()));
    page.element("h2", "Checks");
    page.raw("<table>");
    let mut seen = HashSet::new();
    for (verdict, name, words) in runs.chain(statuses).filter(|(_, name, _)| seen.insert(*name)) {
        page.raw("<tr><td>");
        page.classed("span", &format!("badge {verdict}"), verdict);
        page.raw("</td><td>");
        page.text(name);
        page.raw("</td><td>");
        page.text(words.map_or("", String::as_str));
        page.raw("</td></tr>");
    }
    page.raw("</table>");
    if seen.is_empty() {
        page.element("p", "Nothing was reported about this commit.");
    }
    Ok(())
}

fn conversation(
    page: &mut Html,
    forge: &Forge,
    repository: &Repository,
    pull: &Pull,
) -> Result<(), PageError> {
    let comments = forge.inner().store.read(|tx| Comment::on_pull(tx, repository.id, pull.number))?;
    if !comments.is_empty() {
        page.element("h2", "Conversation");
    }
    for comment in &comments {
        page.element("b", &comment.author.login);
        page.classed("p", "text", &comment.body);
    }
    Ok(())
}

fn diff(page: &mut Html, files: &[FileDiff]) {
    let mut left = MAX_LINES;
    for file in files {
        let moved = file.previous.as_ref().map(|from| format!("{from} → ")).unwrap_or_default();
        page.raw("<p>");
        page.element("code", &format!("{moved}{}", file.path));
        page.text(&format!(" {}, +{} −{}", file.status.as_str(), file.additions, file.deletions));
        page.raw("</p>");
        let Some(patch) = &file.patch else { continue };
        page.raw("<pre>");
        for line in patch.lines().take(left) {
            let class = match line.as_bytes().first() {
                Some(b'+') => "add",
                Some(b'-') => "del",
                Some(b'@') => "hunk",
                _ => "",
            };
            page.classed("span", class, line);
        }
        page.raw("</pre>");
        left = left.saturating_sub(patch.lines().count());
    }
    if left == 0 {
        page.element("p", "The rest is not shown here.");
    }
}
