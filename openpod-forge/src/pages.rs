//! Pages for people: a repository's pull requests, and one pull request with its diff. They show and change nothing.

mod html;
mod pull;
mod repository;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use html::Html;
use percent_encoding::percent_decode_str;

use crate::auth::{self, Caller};
use crate::forge::{FollowError, Forge, blocking};
use crate::git::{EntryKind, GitError};
use crate::permission::Level;
use crate::store::{Pull, Repository, StoreError};

/// What a page answers with.
enum Page {
    Html(Html),
    Text(Vec<u8>),
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
enum PageError {
    #[error("there is nothing at this address")]
    NotFound,
    #[error("give a token of this forge as the password")]
    Unauthorized,
    #[error("the forge failed")]
    Store(#[from] StoreError),
    #[error("the forge failed")]
    Git(#[from] GitError),
    #[error("the forge failed")]
    Follow(#[from] FollowError),
}

/// Serves one page.
pub(crate) async fn handle(forge: Forge, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    match blocking(move || serve(&forge, &parts)).await {
        Ok(Page::Html(page)) => page.into_response(StatusCode::OK),
        Ok(Page::Text(bytes)) => {
            let mut response = Response::new(Body::from(bytes));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            response
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &PageError) -> Response<Body> {
    let status = match error {
        PageError::NotFound => StatusCode::NOT_FOUND,
        PageError::Unauthorized => StatusCode::UNAUTHORIZED,
        PageError::Store(_) | PageError::Git(_) | PageError::Follow(_) => {
            tracing::error!(?error, "a page could not be shown");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut page = Html::new(&error.to_string());
    page.element("p", &error.to_string());
    let mut response = page.into_response(status);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"GitHub\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn serve(forge: &Forge, parts: &Parts) -> Result<Page, PageError> {
    let segments: Vec<&str> = parts.uri.path().split('/').skip(1).filter(|part| !part.is_empty()).collect();
    let looks = parts.method == Method::GET || parts.method == Method::HEAD;
    let [owner, name, rest @ ..] = segments.as_slice() else { return Err(PageError::NotFound) };
    if !looks {
        return Err(PageError::NotFound);
    }
    let store = &forge.inner().store;
    let caller =
        auth::authenticate(store, &parts.headers, forge.now()).map_err(|_| PageError::Unauthorized)?;
    if matches!(caller, Caller::Nobody) {
        return Err(PageError::Unauthorized);
    }
    let found = store.read(|tx| Repository::by_name(tx, owner, name))?;
    let repository = found.filter(|found| caller.sees(found) && caller.may("contents", Level::Read));
    let repository = repository.ok_or(PageError::NotFound)?;
    match rest {
        [] => Ok(Page::Html(repository::page(forge, &repository)?)),
        ["pull", number] => {
            let (number, form) = number.split_once('.').unwrap_or((number, ""));
            let number = number.parse().map_err(|_| PageError::NotFound)?;
            let found = store.read(|tx| Pull::by_number(tx, repository.id, number))?;
            pull::page(forge, &repository, &found.ok_or(PageError::NotFound)?, form)
        }
        ["raw", rest @ ..] => raw(forge, &repository, rest),
        _ => Err(PageError::NotFound),
    }
}

/// `/{owner}/{repo}/raw/{ref}/{path}`: a file as plain text. Only trying shows where the ref ends and the path begins.
fn raw(forge: &Forge, repository: &Repository, rest: &[&str]) -> Result<Page, PageError> {
    let decoded: Result<Vec<_>, _> = rest.iter().map(|part| percent_decode_str(part).decode_utf8()).collect();
    let parts = decoded.map_err(|_| PageError::NotFound)?;
    let bare = forge.bare(repository);
    for length in 1..parts.len() {
        let Some(commit) = bare.commit_named(&parts[..length].join("/"))? else { continue };
        let found = bare.entry(&commit, &parts[length..].join("/"))?;
        if let Some(entry) = found.filter(|entry| matches!(entry.kind, EntryKind::File | EntryKind::Symlink))
        {
            return Ok(Page::Text(bare.blob(&entry.oid)?));
        }
    }
    Err(PageError::NotFound)
}
