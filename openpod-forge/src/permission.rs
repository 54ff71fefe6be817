//! What an App may do, as GitHub writes it: a map from areas to levels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far a permission reaches. A higher level includes the lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Look.
    Read,
    /// Look and change.
    Write,
    /// Look, change and administer.
    Admin,
}

/// Areas and levels, such as `contents: write`. Reading `metadata` always belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<String, Level>);

impl Permissions {
    /// These areas, and `metadata: read`.
    pub fn new<'a>(areas: impl IntoIterator<Item = (&'a str, Level)>) -> Self {
        let named = areas.into_iter().map(|(area, level)| (area.to_owned(), level));
        Self(named.chain([("metadata".to_owned(), Level::Read)]).collect())
    }

    /// What a platform needs that lets agents push, open pull requests, report checks and comment.
    pub fn for_agents() -> Self {
        Self::new(
            ["checks", "contents", "issues", "pull_requests", "statuses"].map(|area| (area, Level::Write)),
        )
    }

    /// Whether this reaches as far as `level` in an area.
    pub fn allow(&self, area: &str, level: Level) -> bool {
        self.0.get(area).is_some_and(|granted| *granted >= level)
    }

    /// A part of these permissions; `None` when it asks for more than is there.
    pub(crate) fn narrow(&self, wanted: BTreeMap<String, Level>) -> Option<Self> {
        let granted = wanted.iter().all(|(area, level)| self.allow(area, *level));
        granted.then(|| Self::new(wanted.iter().map(|(area, level)| (area.as_str(), *level))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_level_includes_the_lower_ones() {
        let permissions = Permissions::new([("contents", Level::Write), ("issues", Level::Read)]);
        for (area, level, allowed) in [
            ("contents", Level::Read, true),
            ("contents", Level::Write, true),
            ("contents", Level::Admin, false),
            ("issues", Level::Write, false),
            ("metadata", Level::Read, true),
            ("checks", Level::Read, false),
        ] {
            assert_eq!(permissions.allow(area, level), allowed, "{area} {level:?}");
        }
    }

    #[test]
    fn permissions_can_be_narrowed_and_never_widened() {
        let granted = Permissions::new([("contents", Level::Write)]);
        let want = |area: &str, level| BTreeMap::from([(area.to_owned(), level)]);
        let narrow = granted.narrow(want("contents", Level::Read)).unwrap();
        assert_eq!(narrow, Permissions::new([("contents", Level::Read)]));
        assert!(granted.narrow(want("checks", Level::Read)).is_none());
        assert!(narrow.narrow(want("contents", Level::Write)).is_none());
    }
}
