//! From the Authorization header to somebody who may do something.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::app_jwt::Claimed;
use super::{AuthError, token};
use crate::permission::{Level, Permissions};
use crate::store::{Account, App, Installation, IssuedToken, Repository, Store};

/// Somebody who calls.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Nobody,
    /// An App by its JWT: it may look after its installations and nothing else.
    App(App),
    /// An App at one of its installations, by a token.
    Installation(Box<Access>),
    Person(Account),
}

/// What an installation token opens.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub app: App,
    pub installation: Installation,
    pub permissions: Permissions,
    pub repository_ids: Option<Vec<i64>>,
    pub token_hash: String,
}

/// What the Authorization header holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    None,
    Token(String),
    Unreadable,
}

impl Caller {
    /// Whether the repository exists for this caller.
    pub(crate) fn sees(&self, repository: &Repository) -> bool {
        match self {
            Self::Nobody | Self::App(_) => false,
            Self::Person(_) => true,
            Self::Installation(access) => access.reaches(repository),
        }
    }

    /// Whether the caller may act on a repository that it sees.
    pub(crate) fn may(&self, area: &str, level: Level) -> bool {
        match self {
            Self::Nobody | Self::App(_) => false,
            Self::Person(_) => true,
            Self::Installation(access) => access.permissions.allow(area, level),
        }
    }

    /// In whose name the caller acts.
    pub(crate) fn account(&self) -> Option<&Account> {
        match self {
            Self::Nobody => None,
            Self::App(app) => Some(&app.bot),
            Self::Installation(access) => Some(&access.app.bot),
            Self::Person(account) => Some(account),
        }
    }
}

impl Access {
    fn reaches(&self, repository: &Repository) -> bool {
        let chosen = self.repository_ids.as_ref().is_none_or(|ids| ids.contains(&repository.id));
        repository.owner.id == self.installation.account.id && chosen
    }
}

/// Reads the header: `Bearer` and `token` in any case, or `Basic` with the token for a password.
pub(crate) fn presented(headers: &HeaderMap) -> Credentials {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Credentials::None };
    let read = || {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = rest.trim();
        let token = match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "token" => rest.to_owned(),
            "basic" => {
                let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
                let (user, password) = text.split_once(':')?;
                // `https://TOKEN@host/…` sends the token as the name and nothing for a password.
                if password.is_empty() { user.to_owned() } else { password.to_owned() }
            }
            _ => return None,
        };
        (!token.is_empty()).then_some(token)
    };
    read().map_or(Credentials::Unreadable, Credentials::Token)
}

/// Finds out who calls. `now` is in seconds.
pub(crate) fn authenticate(store: &Store, headers: &HeaderMap, now: i64) -> Result<Caller, AuthError> {
    let token = match presented(headers) {
        Credentials::None => return Ok(Caller::Nobody),
        Credentials::Unreadable => return Err(AuthError::BadCredentials),
        Credentials::Token(token) => token,
    };
    if token.starts_with("ghs_") {
        return installation(store, &token, now);
    }
    if token.matches('.').count() == 2 {
        return app(store, &token, now);
    }
    let hash = token::hash(&token);
    let person = store.read(|tx| Account::by_token(tx, &hash))?;
    person.map(Caller::Person).ok_or(AuthError::BadCredentials)
}

fn app(store: &Store, token: &str, now: i64) -> Result<Caller, AuthError> {
    let claimed = Claimed::read(token)?;
    let issuer = claimed.issuer()?;
    let app = store.read(|tx| match issuer.parse::<i64>() {
        Ok(id) => App::by_id(tx, id),
        Err(_) => App::by_client_id(tx, &issuer),
    });
    let app = app?.ok_or(AuthError::UnknownApp)?;
    claimed.prove(&app.public_key, now)?;
    Ok(Caller::App(app))
}

fn installation(store: &Store, token: &str, now: i64) -> Result<Caller, AuthError> {
    let token_hash = token::hash(token);
    let found = store.read(|tx| {
        let Some(issued) = IssuedToken::by_hash(tx, &token_hash)? else { return Ok(None) };
        let Some(installation) = Installation::by_id(tx, issued.installation_id)? else { return Ok(None) };
        Ok(App::by_id(tx, installation.app_id)?.map(|app| (issued, installation, app)))
    });
    let (issued, installation, app) = found?.ok_or(AuthError::BadCredentials)?;
    if issued.expires_at <= now {
        return Err(AuthError::BadCredentials);
    }
    let IssuedToken { permissions, repository_ids, .. } = issued;
    Ok(Caller::Installation(Box::new(Access { app, installation, permissions, repository_ids, token_hash })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_however_a_client_sends_it() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            presented(&headers)
        };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for good in [
            "Bearer t".to_owned(),
            "bearer t".into(),
            "token t".into(),
            basic("x-access-token:t"),
            basic("any:t"),
            basic("t:"),
        ] {
            assert_eq!(read(&good), Credentials::Token("t".into()), "{good}");
        }
        for bad in ["t", "Digest t", "Basic !", "Bearer ", "Basic Og=="] {
            assert_eq!(read(bad), Credentials::Unreadable, "{bad}");
        }
        assert_eq!(presented(&HeaderMap::new()), Credentials::None);
    }
}
