//! What a key is good for, and what its holder may make of it.
//!
//! ```text
//!   make     a key that is good for no more and works no longer than the one that asks
//!   rotate   a new key, good for the same; the old one works on for a grace period
//!   revoke   any key that is good for no more than the one that asks, itself included
//! ```

use std::time::Duration;

use openpod_sdk::api::keys::Key;
use openpod_sdk::api::{ApiKeyId, Scope, Timestamp};

/// How many keys of one holder may work at a time.
pub const MOST_KEYS: u64 = 20;

/// How many may work at a time when those are counted that were replaced and have their grace period.
pub const MOST_ROTATED: u64 = 2 * MOST_KEYS;

/// How long a key that was replaced works on, unless told.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a key is good for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// From when on it no longer works; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// The key that a caller has proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerKey {
    /// Its public part.
    pub id: ApiKeyId,
    /// What it is good for.
    pub grant: Grant,
}

/// Why a key was not made, replaced or taken out of use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is good for more than the key that asks.
    #[error(
        "the key that you use is not good for {0}, so neither may be a key that it makes, rotates or revokes"
    )]
    Wider(Scope),
    /// It would outlive the key that asks.
    #[error("the key that you use works until {0}; a key that it makes may not work longer")]
    Longer(Timestamp),
    /// Its expiry lies in the past.
    #[error("expires_at must be in the future")]
    Past,
    /// It was replaced before.
    #[error("this key was replaced by {0}; rotate that one")]
    Replaced(ApiKeyId),
    /// It no longer works.
    #[error("this key no longer works; make a new one")]
    Spent,
    /// The holder has as many as may be.
    #[error("{0} keys are in use, which is the most; revoke one first")]
    TooMany(u64),
}

impl Grant {
    /// Everything, for ever.
    pub fn everything() -> Self {
        Self { scopes: vec![Scope::All], expires_at: None }
    }

    /// Whether it suffices for what asks for `wanted`.
    pub fn covers(&self, wanted: &Scope) -> bool {
        self.scopes.iter().any(|held| held.covers(wanted))
    }

    /// A part of it: these scopes until this time, or for as long as itself.
    pub fn part(
        &self,
        scopes: Vec<Scope>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        let mut wanted: Vec<Scope> = Vec::new();
        for scope in scopes {
            if !wanted.contains(&scope) {
                wanted.push(scope);
            }
        }
        if expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(Refusal::Past);
        }
        let part = Grant { scopes: wanted, expires_at: expires_at.or(self.expires_at) };
        self.reaches(&part.scopes)?;
        self.lasts(part.expires_at)?;
        Ok(part)
    }

    /// Whether it has power over a key with these scopes.
    pub fn reaches(&self, scopes: &[Scope]) -> Result<(), Refusal> {
        let beyond = scopes.iter().find(|scope| !self.covers(scope));
        beyond.map_or(Ok(()), |scope| Err(Refusal::Wider(scope.clone())))
    }

    fn lasts(&self, expiry: Option<Timestamp>) -> Result<(), Refusal> {
        match self.expires_at {
            Some(end) if expiry.is_none_or(|wanted| wanted > end) => Err(Refusal::Longer(end)),
            _ => Ok(()),
        }
    }
}

/// Until when a key works that is replaced now by one like it.
pub fn rotate(caller: &Grant, old: &Key, grace: Duration, now: Timestamp) -> Result<Timestamp, Refusal> {
    caller.reaches(&old.scopes)?;
    caller.lasts(old.expires_at)?;
    if let Some(successor) = &old.replaced_by {
        return Err(Refusal::Replaced(successor.clone()));
    }
    if old.revoked_at.is_some() || old.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(Refusal::Spent);
    }
    let end = now.plus(grace);
    Ok(old.expires_at.map_or(end, |expiry| expiry.min(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u8) -> Timestamp {
        format!("2026-03-12T{hour:02}:00:00Z").parse().unwrap()
    }

    fn grant(scopes: &[Scope], expires_at: Option<Timestamp>) -> Grant {
        Grant { scopes: scopes.to_vec(), expires_at }
    }

    fn key(scopes: &[Scope], expires_at: Option<Timestamp>) -> Key {
        Key {
            id: "a".into(),
            name: None,
            scopes: scopes.to_vec(),
            created_at: at(0),
            expires_at,
            revoked_at: None,
            last_used_at: None,
            replaced_by: None,
        }
    }

    #[test]
    fn a_key_hands_on_at_most_what_it_has() {
        let narrow = grant(&[Scope::Keys, Scope::Read], Some(at(12)));
        let both = vec![Scope::Keys, Scope::Read];
        assert_eq!(narrow.part(both.clone(), None, at(10)), Ok(narrow.clone()));
        let part = narrow.part(vec![Scope::Read, Scope::Read], Some(at(11)), at(10));
        assert_eq!(part, Ok(grant(&[Scope::Read], Some(at(11)))));
        let wider = narrow.part(vec![Scope::TicketsWrite], None, at(10));
        assert_eq!(wider, Err(Refusal::Wider(Scope::TicketsWrite)));
        assert_eq!(narrow.part(vec![Scope::All], None, at(10)), Err(Refusal::Wider(Scope::All)));
        assert_eq!(narrow.part(both.clone(), Some(at(13)), at(10)), Err(Refusal::Longer(at(12))));
        assert_eq!(narrow.part(both, Some(at(10)), at(10)), Err(Refusal::Past));
        let all = Grant::everything();
        assert!(all.part(vec![Scope::Github, Scope::All], Some(at(23)), at(10)).is_ok());
    }

    #[test]
    fn a_replaced_key_works_for_the_grace_period_and_never_longer_than_it_would_have() {
        let all = Grant::everything();
        let (hour, now) = (Duration::from_secs(3600), at(10));
        assert_eq!(rotate(&all, &key(&[Scope::All], None), hour, now), Ok(at(11)));
        assert_eq!(rotate(&all, &key(&[Scope::All], Some(at(23))), hour, now), Ok(at(11)));
        assert_eq!(rotate(&all, &key(&[Scope::All], Some(at(11))), 3 * hour, now), Ok(at(11)));
    }

    #[test]
    fn what_was_replaced_or_is_out_of_use_or_wider_is_not_rotated() {
        let (all, narrow) = (Grant::everything(), grant(&[Scope::Keys], None));
        let replaced = Key { replaced_by: Some("b".into()), ..key(&[Scope::All], None) };
        assert_eq!(rotate(&all, &replaced, GRACE, at(10)), Err(Refusal::Replaced("b".into())));
        let revoked = Key { revoked_at: Some(at(9)), ..key(&[Scope::All], None) };
        assert_eq!(rotate(&all, &revoked, GRACE, at(10)), Err(Refusal::Spent));
        assert_eq!(rotate(&all, &key(&[Scope::All], Some(at(10))), GRACE, at(10)), Err(Refusal::Spent));
        let wider = rotate(&narrow, &key(&[Scope::All], None), GRACE, at(10));
        assert_eq!(wider, Err(Refusal::Wider(Scope::All)));
        let ending = grant(&[Scope::All], Some(at(12)));
        assert_eq!(rotate(&ending, &key(&[Scope::Read], None), GRACE, at(10)), Err(Refusal::Longer(at(12))));
    }
}
