//! A repository, from its web address.

use url::Url;

/// A repository on the platform's GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Whose it is.
    pub owner: String,
    /// What it is called.
    pub name: String,
}

/// An address that names no repository which the platform could reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("be {}/<owner>/<name>, because that is the GitHub which this platform works with", .0)]
pub struct NotARepository(String);

impl Repository {
    /// Reads `<web>/<owner>/<name>`, also with `.git` or a slash at its end. Without `web`, on a platform that is
    /// connected to no GitHub, any host will do.
    pub fn parse(address: &str, web: Option<&Url>) -> Result<Repository, NotARepository> {
        let refused = || {
            NotARepository(web.map_or("https://<host>", |web| web.as_str()).trim_end_matches('/').to_owned())
        };
        let url = Url::parse(address).map_err(|_| refused())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none();
        let here = web.is_none_or(|web| url.origin() == web.origin());
        let path = url.path().strip_prefix(web.map_or("", |web| web.path().trim_end_matches('/')));
        let path = path.filter(|_| plain && bare && here).ok_or_else(refused)?;
        let mut parts = path.strip_prefix('/').ok_or_else(refused)?.trim_end_matches('/').split('/');
        let (Some(owner), Some(name), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refused());
        };
        let name = name.strip_suffix(".git").unwrap_or(name);
        if is_owner(owner) && is_name(name) {
            Ok(Repository { owner: owner.to_owned(), name: name.to_owned() })
        } else {
            Err(refused())
        }
    }
}

fn is_owner(text: &str) -> bool {
    (1..=39).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=100).contains(&text.len()) && text.bytes().all(fits) && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str, web: &str) -> Option<(String, String)> {
        let web = Url::parse(web).unwrap();
        Repository::parse(address, Some(&web)).ok().map(|found| (found.owner, found.name))
    }

    #[test]
    fn a_repository_of_the_platforms_github_is_read() {
        let found = Some(("org".to_owned(), "repo.js".to_owned()));
        for address in [
            "https://git.example/org/repo.js",
            "https://git.example/org/repo.js.git",
            "https://git.example/org/repo.js/",
            "https://GIT.example:443/org/repo.js",
        ] {
            assert_eq!(read(address, "https://git.example"), found, "{address}");
        }
        assert_eq!(read("http://127.0.0.1:8080/forge/org/repo.js", "http://127.0.0.1:8080/forge/"), found);
        assert!(Repository::parse("https://anywhere.example/org/repo", None).is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        for address in [
            "https://other.example/org/repo",
            "http://git.example/org/repo",
            "https://git.example:8443/org/repo",
            "https://git.example.evil.example/org/repo",
            "https://user@git.example/org/repo",
            "https://git.example/org",
            "https://git.example/org/",
            "https://git.example/org/repo/pull/1",
            "https://git.example/org/repo?tab=readme",
            "https://git.example/org/repo#readme",
            "https://git.example/org/..",
            "https://git.example/org/.git",
            "https://git.example/o_g/repo",
            "https://git.example/org/re%20po",
            "git@git.example:org/repo",
        ] {
            assert_eq!(read(address, "https://git.example"), None, "{address}");
        }
        assert_eq!(read("https://git.example/forgery/org/repo", "https://git.example/forge"), None);
    }
}
