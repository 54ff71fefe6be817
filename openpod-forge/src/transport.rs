//! Git over HTTP: who may clone and push what. The protocol itself is in [`crate::git::http`].

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};

use crate::auth::{self, Caller};
use crate::forge::{Forge, blocking};
use crate::git::http::{self as smart, Service, TransportError};
use crate::git::{Pusher, RefRules};
use crate::permission::Level;
use crate::store::Repository;

/// What a request of git is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitRequest {
    owner: String,
    repository: String,
    service: Service,
    /// The first request of a conversation, which asks what is there.
    advertise: bool,
}

/// Why git is not served. The text reaches the person at the other end.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl GitRequest {
    /// Reads `/{owner}/{repo}[.git]/info/refs?service=…` and `/{owner}/{repo}[.git]/git-…-pack`.
    pub(crate) fn parse(method: &Method, path: &str, query: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let (owner, repository, service, advertise) = match (method, parts.as_slice()) {
            (&Method::GET, [owner, repository, "info", "refs"]) => {
                let named = query.split('&').find_map(|pair| pair.strip_prefix("service="))?;
                (owner, repository, Service::parse(named)?, true)
            }
            (&Method::POST, [owner, repository, service]) => {
                (owner, repository, Service::parse(service)?, false)
            }
            _ => return None,
        };
        let repository = repository.strip_suffix(".git").unwrap_or(repository);
        Some(Self { owner: (*owner).to_owned(), repository: repository.to_owned(), service, advertise })
    }

    fn level(&self) -> Level {
        match self.service {
            Service::UploadPack => Level::Read,
            Service::ReceivePack => Level::Write,
        }
    }
}

/// Serves one request of git.
pub(crate) async fn handle(forge: &Forge, asked: GitRequest, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match serve(forge, asked, parts, body).await {
        Ok(response) => response,
        Err(Refused(status, text)) => {
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            if status == StatusCode::UNAUTHORIZED {
                // Without it git never asks its credential helper.
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"GitHub\""));
            }
            response
        }
    }
}

async fn serve(
    forge: &Forge,
    asked: GitRequest,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, Refused> {
    let (repository, rules) = {
        let (forge, asked, headers) = (forge.clone(), asked.clone(), parts.headers.clone());
        blocking(move || admit(&forge, &asked, &headers)).await?
    };
    let bare = forge.bare(&repository);
    if asked.advertise {
        return Ok(smart::advertise(&bare, asked.service, &parts.headers).await?);
    }
    let permit = Arc::clone(&forge.inner().git_processes).acquire_owned().await;
    let permit = permit.map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "the forge stops".into()))?;
    let answered = match asked.service {
        Service::UploadPack => smart::upload_pack(&bare, &parts.headers, body, permit).await,
        Service::ReceivePack => {
            let forge = forge.clone();
            let after = move || pushed(&forge, &repository);
            smart::receive_pack(&bare, &parts.headers, body, permit, &rules, after).await
        }
    };
    Ok(answered?)
}

/// Decides whether the caller may, and what refs it may write.
fn admit(
    forge: &Forge,
    asked: &GitRequest,
    headers: &axum::http::HeaderMap,
) -> Result<(Repository, RefRules), Refused> {
    let store = &forge.inner().store;
    let unknown = || Refused(StatusCode::NOT_FOUND, "Repository not found.".into());
    let failed = |error: crate::store::StoreError| {
        tracing::error!(%error, "git could not be served");
        Refused(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".into())
    };
    let caller = auth::authenticate(store, headers, forge.now()).map_err(|_| {
        Refused(
            StatusCode::UNAUTHORIZED,
            "Invalid username or token. Password authentication is not supported.".into(),
        )
    })?;
    let pusher = match caller {
        Caller::Nobody => return Err(Refused(StatusCode::UNAUTHORIZED, "Repository not found.".into())),
        Caller::App(_) => return Err(unknown()),
        Caller::Person(_) => Pusher::Person,
        Caller::Installation(_) => Pusher::App,
    };
    let found = store.read(|tx| Repository::by_name(tx, &asked.owner, &asked.repository)).map_err(failed)?;
    let repository = found.filter(|found| caller.sees(found)).ok_or_else(unknown)?;
    if !caller.may("contents", asked.level()) {
        let text = format!("Write access to repository not granted for {}.", repository.full_name());
        return Err(Refused(StatusCode::FORBIDDEN, text));
    }
    let protected = store.read(|tx| Repository::protected(tx, repository.id)).map_err(failed)?;
    Ok((repository, RefRules { protected, pusher }))
}

/// Pull requests follow what was pushed.
fn pushed(forge: &Forge, repository: &Repository) {
    let now = forge.now();
    let noted = forge
        .inner()
        .store
        .write(|tx| Repository::pushed(tx, repository.id, now).map_err(crate::store::StoreError::from));
    if let Err(error) = noted {
        tracing::error!(%error, "a push could not be noted");
    }
    if let Err(error) = forge.follow_refs(repository) {
        tracing::error!(%error, "pull requests could not follow a push");
    }
}

impl From<TransportError> for Refused {
    fn from(error: TransportError) -> Self {
        if let TransportError::Git(error) = &error {
            tracing::error!(%error, "git could not be served");
            return Self(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".into());
        }
        Self(error.status(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_git_are_told_from_pages() {
        let parse = |method: Method, path: &str, query: &str| {
            let found = GitRequest::parse(&method, path, query)?;
            Some((found.repository, found.service, found.advertise))
        };
        let fetch = Some(("r".to_owned(), Service::UploadPack, true));
        assert_eq!(parse(Method::GET, "/o/r.git/info/refs", "service=git-upload-pack"), fetch);
        assert_eq!(parse(Method::GET, "/o/r/info/refs", "service=git-upload-pack"), fetch);
        let push = Some(("r".to_owned(), Service::ReceivePack, false));
        assert_eq!(parse(Method::POST, "/o/r.git/git-receive-pack", ""), push);
        for (method, path, query) in [
            (Method::GET, "/o/r.git/info/refs", ""),
            (Method::GET, "/o/r.git/info/refs", "service=git-archive"),
            (Method::GET, "/o/r/git-receive-pack", ""),
            (Method::GET, "/o/r/pull/1", ""),
        ] {
            assert_eq!(parse(method.clone(), path, query), None, "{method} {path}");
        }
    }
}
