//! How the secret of a webhook is replaced: for a grace period the old one signs too, and never more than one old one.

use std::time::Duration;

use openpod_sdk::api::Timestamp;

/// How long a secret that was replaced goes on signing, unless told.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a secret was not replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is the secret that the webhook has.
    #[error("the webhook has this secret; choose another, or leave it out to have one made")]
    Same,
    /// A secret before it is in its grace period. A second old one would have to be cut off unasked.
    #[error(
        "the secret before this one signs until {0}; rotate then, or with grace_seconds 0, which ends both"
    )]
    InGrace(Timestamp),
}

/// Until when the secret signs that is replaced now; `None` when it stops at once. `is_new` says whether the new one
/// is another, `until` how long the one before signs.
pub fn rotate(
    is_new: bool,
    until: Option<Timestamp>,
    grace: Duration,
    now: Timestamp,
) -> Result<Option<Timestamp>, Refusal> {
    if !is_new {
        return Err(Refusal::Same);
    }
    if grace.is_zero() {
        return Ok(None);
    }
    match until.filter(|until| *until > now) {
        Some(until) => Err(Refusal::InGrace(until)),
        None => Ok(Some(now.plus(grace))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_old_secret_signs_for_the_grace_period_and_none_is_cut_off_unasked() {
        let now: Timestamp = "2026-03-12T10:30:00Z".parse().unwrap();
        let later = |seconds| now.plus(Duration::from_secs(seconds));
        let (hour, none) = (Duration::from_secs(3600), Duration::ZERO);
        for (is_new, until, grace, expected) in [
            (true, None, hour, Ok(Some(later(3600)))),
            (true, Some(now), hour, Ok(Some(later(3600)))),
            (true, Some(later(1)), hour, Err(Refusal::InGrace(later(1)))),
            (true, Some(later(1)), none, Ok(None)),
            (true, None, none, Ok(None)),
            (false, None, hour, Err(Refusal::Same)),
            (false, Some(later(1)), none, Err(Refusal::Same)),
        ] {
            assert_eq!(rotate(is_new, until, grace, now), expected, "{is_new} {until:?} {grace:?}");
        }
    }
}
