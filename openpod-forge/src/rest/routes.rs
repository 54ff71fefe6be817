//! Every operation: its path, the permission that it needs, and who serves it.

use axum::http::Method;

use super::call::Handler;
use super::{
    app, branches, check_runs, comments, commits, contents, installation, merge, meta, pull_views, pulls,
    refs, repositories, statuses,
};
use crate::permission::Level::{self, Read, Write};

/// What a caller must have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Nothing,
    AppJwt,
    Installation,
    Person,
    /// One of these permissions. People have them all.
    AnyOf(&'static [(&'static str, Level)]),
}

/// One operation.
#[derive(Debug)]
pub(super) struct Route {
    method: Method,
    /// `{name}` stands for one part of a path, `{name..}` for one or more.
    path: &'static str,
    pub need: Need,
    pub handler: Handler,
}

const SEE: Need = Need::AnyOf(&[("metadata", Read)]);
const CODE: Need = Need::AnyOf(&[("contents", Read)]);
const CHANGE_CODE: Need = Need::AnyOf(&[("contents", Write)]);
const PULLS: Need = Need::AnyOf(&[("pull_requests", Read)]);
const PULL: Need = Need::AnyOf(&[("pull_requests", Read), ("contents", Read)]);
const CHANGE_PULLS: Need = Need::AnyOf(&[("pull_requests", Write)]);
const CHECKS: Need = Need::AnyOf(&[("checks", Read)]);
const CHANGE_CHECKS: Need = Need::AnyOf(&[("checks", Write)]);
const STATUSES: Need = Need::AnyOf(&[("statuses", Read)]);
const CHANGE_STATUSES: Need = Need::AnyOf(&[("statuses", Write)]);
const TALK: Need = Need::AnyOf(&[("issues", Read), ("pull_requests", Read)]);
const JOIN_TALK: Need = Need::AnyOf(&[("issues", Write), ("pull_requests", Write)]);

static ROUTES: &[Route] = &[
    get("/", Need::Nothing, meta::root),
    get("/meta", Need::Nothing, meta::meta),
    get("/rate_limit", Need::Nothing, meta::rate_limit),
    get("/user", Need::Person, meta::user),
    // Apps
    get("/app", Need::AppJwt, app::get),
    get("/app/installations", Need::AppJwt, app::installations),
    get("/app/installations/{id}", Need::AppJwt, app::installation),
    post("/app/installations/{id}/access_tokens", Need::AppJwt, app::create_token),
    get("/repos/{owner}/{repo}/installation", Need::AppJwt, app::of_repository),
    get("/orgs/{owner}/installation", Need::AppJwt, app::of_account),
    get("/users/{owner}/installation", Need::AppJwt, app::of_account),
    get("/installation/repositories", Need::Installation, installation::repositories),
    delete("/installation/token", Need::Installation, installation::revoke),
    // Repositories
    get("/repos/{owner}/{repo}", SEE, repositories::get),
    get("/repos/{owner}/{repo}/branches", CODE, branches::list),
    get("/repos/{owner}/{repo}/branches/{branch..}", CODE, branches::get),
    get("/repos/{owner}/{repo}/git/ref/{ref..}", CODE, refs::get),
    get("/repos/{owner}/{repo}/git/matching-refs/{ref..}", CODE, refs::matching),
    post("/repos/{owner}/{repo}/git/refs", CHANGE_CODE, refs::create),
    patch("/repos/{owner}/{repo}/git/refs/{ref..}", CHANGE_CODE, refs::update),
    delete("/repos/{owner}/{repo}/git/refs/{ref..}", CHANGE_CODE, refs::delete),
    get("/repos/{owner}/{repo}/contents", CODE, contents::root),
    get("/repos/{owner}/{repo}/contents/{path..}", CODE, contents::get),
    put("/repos/{owner}/{repo}/contents/{path..}", CHANGE_CODE, contents::put),
    get("/repos/{owner}/{repo}/compare/{basehead..}", CODE, commits::compare),
    get("/repos/{owner}/{repo}/commits", CODE, commits::list),
    // What was reported about commits
    get("/repos/{owner}/{repo}/commits/{ref..}/check-runs", CHECKS, check_runs::list),
    get("/repos/{owner}/{repo}/commits/{ref..}/status", STATUSES, statuses::combined),
    get("/repos/{owner}/{repo}/commits/{ref..}/statuses", STATUSES, statuses::list),
    get("/repos/{owner}/{repo}/commits/{ref..}", CODE, commits::get),
    post("/repos/{owner}/{repo}/check-runs", CHANGE_CHECKS, check_runs::create),
    get("/repos/{owner}/{repo}/check-runs/{id}", CHECKS, check_runs::get),
    patch("/repos/{owner}/{repo}/check-runs/{id}", CHANGE_CHECKS, check_runs::update),
    get("/repos/{owner}/{repo}/statuses/{sha}", STATUSES, statuses::list),
    post("/repos/{owner}/{repo}/statuses/{sha}", CHANGE_STATUSES, statuses::create),
    // Pull requests
    get("/repos/{owner}/{repo}/pulls", PULLS, pulls::list),
    post("/repos/{owner}/{repo}/pulls", CHANGE_PULLS, pulls::create),
    get("/repos/{owner}/{repo}/pulls/{number}", PULL, pull_views::get),
    patch("/repos/{owner}/{repo}/pulls/{number}", CHANGE_PULLS, pulls::update),
    get("/repos/{owner}/{repo}/pulls/{number}/files", PULLS, pull_views::files),
    get("/repos/{owner}/{repo}/pulls/{number}/commits", PULLS, pull_views::commits),
    get("/repos/{owner}/{repo}/pulls/{number}/merge", CODE, merge::is_merged),
    put("/repos/{owner}/{repo}/pulls/{number}/merge", CHANGE_CODE, merge::merge),
    get("/repos/{owner}/{repo}/issues/comments/{id}", TALK, comments::get),
    patch("/repos/{owner}/{repo}/issues/comments/{id}", JOIN_TALK, comments::update),
    get("/repos/{owner}/{repo}/issues/{number}/comments", TALK, comments::list),
    post("/repos/{owner}/{repo}/issues/{number}/comments", JOIN_TALK, comments::create),
];

const fn get(path: &'static str, need: Need, handler: Handler) -> Route {
    Route { method: Method::GET, path, need, handler }
}

const fn post(path: &'static str, need: Need, handler: Handler) -> Route {
    Route { method: Method::POST, path, need, handler }
}

const fn put(path: &'static str, need: Need, handler: Handler) -> Route {
    Route { method: Method::PUT, path, need, handler }
}

const fn patch(path: &'static str, need: Need, handler: Handler) -> Route {
    Route { method: Method::PATCH, path, need, handler }
}

const fn delete(path: &'static str, need: Need, handler: Handler) -> Route {
    Route { method: Method::DELETE, path, need, handler }
}

impl Route {
    pub(super) fn is_about_repository(&self) -> bool {
        self.path.starts_with("/repos/")
    }

    fn captures(&self, segments: &[String]) -> Option<Vec<String>> {
        let pattern: Vec<&str> = self.path.split('/').skip(1).filter(|part| !part.is_empty()).collect();
        let many = pattern.iter().position(|part| part.ends_with("..}"));
        let spare = segments.len().checked_sub(pattern.len())?;
        if many.is_none() && spare > 0 {
            return None;
        }
        let mut captured = Vec::new();
        let mut rest = segments;
        for (n, part) in pattern.iter().enumerate() {
            let (taken, left) = rest.split_at(if many == Some(n) { spare + 1 } else { 1 });
            rest = left;
            if part.starts_with('{') {
                captured.push(taken.join("/"));
            } else if taken[0] != *part {
                return None;
            }
        }
        // An empty part comes from a slash too many, which GitHub does not overlook.
        let whole = segments.iter().all(|segment| !segment.is_empty());
        whole.then_some(captured)
    }
}

/// The first route that fits, and the values of its names.
pub(super) fn find(method: &Method, segments: &[String]) -> Option<(&'static Route, Vec<String>)> {
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| Some((route, route.captures(segments)?)))
}

/// `contents=read; pull_requests=read`: what one of these permissions would have been enough.
pub(super) fn accepted(options: &[(&str, Level)]) -> String {
    let word = |level: &Level| match level {
        Read => "read",
        Write => "write",
        Level::Admin => "admin",
    };
    options.iter().map(|(area, level)| format!("{area}={}", word(level))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        path.split('/').skip(1).filter(|_| path != "/").map(str::to_owned).collect()
    }

    #[test]
    fn every_route_is_reached_by_its_own_path() {
        for route in ROUTES {
            let path = route.path.replace("..}", "}/more}").replace(['{', '}'], "");
            let (found, _) = find(&route.method, &segments(&path)).unwrap();
            assert!(std::ptr::eq(found, route), "{} {path} reaches {}", route.method, found.path);
        }
    }

    #[test]
    fn a_branch_with_slashes_is_one_value() {
        let (route, values) = find(&Method::GET, &segments("/repos/o/r/commits/a/b/c/check-runs")).unwrap();
        assert_eq!(
            (route.path, values[2].as_str()),
            ("/repos/{owner}/{repo}/commits/{ref..}/check-runs", "a/b/c")
        );
    }

    #[test]
    fn what_is_not_in_the_table_is_not_found() {
        for path in ["/repos/o/r/", "/repos/o/r//pulls", "/repos/o/r/pulls/1/unknown", "/nothing", "/repos/o"]
        {
            assert!(find(&Method::GET, &segments(path)).is_none(), "{path}");
        }
        assert!(find(&Method::DELETE, &segments("/repos/o/r/pulls/1")).is_none());
    }
}
