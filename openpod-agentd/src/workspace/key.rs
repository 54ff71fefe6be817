//! What a job's directory is called.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names a job's directory: 1 to 100 of `a-z A-Z 0-9 . _ -`, not beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey(String);

/// Why a text names no job.
#[derive(Debug, thiserror::Error)]
#[error("a job's key is 1 to 100 of a-z A-Z 0-9 . _ - and does not begin with a dot")]
pub struct NotAJobKey;

impl JobKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobKey {
    type Error = NotAJobKey;

    fn try_from(text: String) -> Result<Self, NotAJobKey> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let fits = (1..=100).contains(&text.len()) && !text.starts_with('.');
        if plain && fits { Ok(Self(text)) } else { Err(NotAJobKey) }
    }
}

impl FromStr for JobKey {
    type Err = NotAJobKey;

    fn from_str(text: &str) -> Result<Self, NotAJobKey> {
        Self::try_from(text.to_owned())
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_leaves_its_directory() {
        for good in ["t1", "0195-a.b_c"] {
            assert_eq!(good.parse::<JobKey>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".git", "a/b", "a b", "a\0", &"x".repeat(101)] {
            assert!(bad.parse::<JobKey>().is_err(), "{bad:?}");
        }
    }
}
