//! A pull request, from its web address.

use url::Url;

use super::repository::Repository;

/// Which pull request an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestAddress {
    /// Where it is.
    pub repository: Repository,
    /// Its number.
    pub number: u64,
}

/// An address that names no pull request of the platform's GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address is not that of a pull request, which reads <GitHub>/<owner>/<name>/pull/<number>")]
pub struct NotAPullRequest;

impl PullRequestAddress {
    /// Reads `<web>/<owner>/<name>/pull/<number>`. What a browser shows of a pull request reads the same with more
    /// after it: a tab, a query, the place on the page.
    pub fn parse(address: &str, web: &Url) -> Result<PullRequestAddress, NotAPullRequest> {
        let mut url = Url::parse(address).map_err(|_| NotAPullRequest)?;
        url.set_query(None);
        url.set_fragment(None);
        let (repository, rest) = url.as_str().split_once("/pull/").ok_or(NotAPullRequest)?;
        let repository = Repository::parse(repository, Some(web)).map_err(|_| NotAPullRequest)?;
        let digits = rest.split('/').next().unwrap_or_default();
        let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| plain).ok_or(NotAPullRequest)?;
        Ok(PullRequestAddress { repository, number })
    }

    /// Whether it belongs to this repository. Names on GitHub have no case.
    pub fn is_of(&self, repository: &Repository) -> bool {
        self.repository.owner.eq_ignore_ascii_case(&repository.owner)
            && self.repository.name.eq_ignore_ascii_case(&repository.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> Option<(String, u64)> {
        let web = Url::parse("https://git.example/forge").unwrap();
        let found = PullRequestAddress::parse(address, &web).ok()?;
        Some((format!("{}/{}", found.repository.owner, found.repository.name), found.number))
    }

    #[test]
    fn what_a_browser_shows_of_a_pull_request_is_read() {
        for more in ["", "/", "/files", "/files?w=1", "/commits/abc", "#issuecomment-1", "?tab=checks"] {
            let address = format!("https://git.example/forge/org/repo/pull/42{more}");
            assert_eq!(read(&address), Some(("org/repo".to_owned(), 42)), "{address}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for address in [
            "https://git.example/forge/org/repo/pull/",
            "https://git.example/forge/org/repo/pull/0",
            "https://git.example/forge/org/repo/pull/042",
            "https://git.example/forge/org/repo/pull/+42",
            "https://git.example/forge/org/repo/pull/99999999999999999999",
            "https://git.example/forge/org/repo/pull/x",
            "https://git.example/forge/org/repo/issues/42",
            "https://git.example/forge/org/repo/pulls/42",
            "https://git.example/forge/org/pull/42",
            "https://git.example/org/repo/pull/42",
            "https://git.example/forge/org/repo/tree/pull/42",
            "https://other.example/forge/org/repo/pull/42",
            "https://other.example/?x=https://git.example/forge/org/repo/pull/42",
            "http://git.example/forge/org/repo/pull/42",
            "https://u:p@git.example/forge/org/repo/pull/42",
            "",
        ] {
            assert_eq!(read(address), None, "{address}");
        }
    }

    #[test]
    fn names_have_no_case() {
        let web = Url::parse("https://git.example").unwrap();
        let found = PullRequestAddress::parse("https://git.example/Org/Repo/pull/1", &web).unwrap();
        let repository = |owner: &str| Repository { owner: owner.to_owned(), name: "repo".to_owned() };
        assert!(found.is_of(&repository("org")));
        assert!(!found.is_of(&repository("other")));
    }
}
