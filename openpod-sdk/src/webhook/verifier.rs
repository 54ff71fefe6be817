//! Whether a request comes from the platform, is whole, and is fresh.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use sha2::{Digest, Sha256};

use super::event::Told;
use super::signature::name;
use super::{BadSecret, Delivery, SigningKey};
use crate::Secret;
use crate::api::Timestamp;

/// Checks deliveries against the secrets of a webhook.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<SigningKey>,
    tolerance: Duration,
    legacy: bool,
    largest: usize,
}

/// What a request is signed with.
enum Scheme<'h> {
    Standard(&'h str),
    Legacy(&'h str),
}

/// A delivery that was proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The message's id, the same on every attempt. The older scheme signs none; there it is the signature, and for the
    /// deployed service, which signs each attempt anew, a hash of the event and its facts.
    pub id: String,
    /// What it says.
    pub delivery: Delivery,
}

/// Why a request was refused. Change nothing; [`Refused::status`](super::Refused::status) says what to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It carries no signature of an accepted scheme.
    #[error("the request carries no webhook signature that is accepted here")]
    Unsigned,
    /// A signing header is there twice, or is no text.
    #[error("a header of the webhook signature is malformed or there twice")]
    MalformedHeader,
    /// None of the keys made the signature, or the body was changed.
    #[error("the webhook signature does not match")]
    WrongSignature,
    /// It was sent too long ago, or in the future.
    #[error("the webhook was not sent within the time that is tolerated")]
    OutsideTolerance,
    /// The body is larger than the verifier reads.
    #[error("the body of the webhook is larger than the limit")]
    TooLarge,
    /// The signature is right, but the body is no delivery.
    #[error("the body of the webhook is not a delivery")]
    MalformedBody,
}

impl Verifier {
    /// Accepts the standard scheme, with any of these secrets, sent within the last or next 5 minutes.
    ///
    /// Give the old and the new secret while one is being replaced.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Result<Self, BadSecret> {
        let keys: Vec<_> =
            secrets.into_iter().map(|secret| SigningKey::parse(&secret)).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(BadSecret::Empty);
        }
        Ok(Self { keys, tolerance: Duration::from_secs(300), legacy: false, largest: 1 << 20 })
    }

    /// Tolerates this much difference between the sender's clock and ours, either way.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Accepts requests that carry the older scheme alone.
    ///
    /// The deployed service has no other. It proves less: it signs no id and no time of the attempt, so the time in the
    /// body is compared, and a late retry is refused. A request that carries the standard scheme must always satisfy it.
    ///
    /// Leave it out where the sender has the standard scheme, as `openpod-server` does. Whoever has got hold of a request
    /// with both could take the standard signature off and, within the tolerance, have it taken once more under another id.
    pub fn accept_legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// How large a body may be, in bytes: 1 MiB unless told. The platform's own are some hundred bytes, and a message at
    /// most 40 KiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    pub(super) fn tolerated(&self) -> Duration {
        self.tolerance
    }

    #[cfg(feature = "axum")]
    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    /// Proves a request and reads it. `body` is what arrived, byte for byte. Whether it was taken before is for a
    /// [`Receiver`](super::Receiver) to say.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Verified, VerifyError> {
        match self.scheme(headers, body)? {
            Scheme::Standard(signatures) => {
                let id = self.prove_standard(headers, signatures, body, now)?;
                Ok(Verified { id, delivery: parse(body)? })
            }
            Scheme::Legacy(signature) => self.verify_legacy(signature, body, now),
        }
    }

    /// Proves a request without reading its body, for one that is only handed on, and answers with the message's id. In the
    /// older scheme the time stands in the body, which is read for that.
    pub fn prove(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<String, VerifyError> {
        match self.scheme(headers, body)? {
            Scheme::Standard(signatures) => self.prove_standard(headers, signatures, body, now),
            Scheme::Legacy(signature) => Ok(self.verify_legacy(signature, body, now)?.id),
        }
    }

    /// What the request is signed with. The older scheme counts only where there is nothing of the standard one.
    fn scheme<'h>(&self, headers: &'h HeaderMap, body: &[u8]) -> Result<Scheme<'h>, VerifyError> {
        if body.len() > self.largest {
            return Err(VerifyError::TooLarge);
        }
        if let Some(signatures) = one(headers, &name::SIGNATURE)? {
            return Ok(Scheme::Standard(signatures));
        }
        match one(headers, &name::LEGACY_SIGNATURE)? {
            Some(signature) if self.legacy => Ok(Scheme::Legacy(signature)),
            _ => Err(VerifyError::Unsigned),
        }
    }

    fn prove_standard(
        &self,
        headers: &HeaderMap,
        signatures: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<String, VerifyError> {
        // With a point in it an id could be read as an id and the beginning of a time.
        let id = one(headers, &name::ID)?.filter(|id| !id.is_empty() && !id.contains('.'));
        let id = id.ok_or(VerifyError::MalformedHeader)?;
        let seconds = one(headers, &name::TIMESTAMP)?.ok_or(VerifyError::MalformedHeader)?;
        if !self.keys.iter().any(|key| key.made_standard(signatures, id, seconds, body)) {
            return Err(VerifyError::WrongSignature);
        }
        let sent: i64 = seconds.parse().map_err(|_| VerifyError::MalformedHeader)?;
        self.check_time(Timestamp::from_micros(sent.saturating_mul(1_000_000)), now)?;
        Ok(id.to_owned())
    }

    fn verify_legacy(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Verified, VerifyError> {
        if !self.keys.iter().any(|key| key.made_legacy(signature, body)) {
            return Err(VerifyError::WrongSignature);
        }
        let told: Told = parse(body)?;
        let id = match told.content() {
            Some(content) => format!("sha256={}", hex::encode(Sha256::digest(content))),
            // Its digits may be large or small: the same signature is the same id.
            None => signature.to_ascii_lowercase(),
        };
        let delivery = Delivery::try_from(told).map_err(|_| VerifyError::MalformedBody)?;
        self.check_time(delivery.timestamp, now)?;
        Ok(Verified { id, delivery })
    }

    fn check_time(&self, sent: Timestamp, now: Timestamp) -> Result<(), VerifyError> {
        let apart = now.since(sent).max(sent.since(now));
        if apart <= self.tolerance { Ok(()) } else { Err(VerifyError::OutsideTolerance) }
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, VerifyError> {
    serde_json::from_slice(body).map_err(|_| VerifyError::MalformedBody)
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, VerifyError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| VerifyError::MalformedHeader),
        (Some(_), Some(_)) => Err(VerifyError::MalformedHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{header, sign};
    use super::*;

    const BODY: &[u8] = br#"{"event":"ticket_assigned","timestamp":"2026-03-12T10:30:00Z","data":{}}"#;

    fn now() -> Timestamp {
        "2026-03-12T10:30:00Z".parse().unwrap()
    }

    fn signed(secret: &str) -> HeaderMap {
        sign(&[SigningKey::parse(&secret.into()).unwrap()], "msg_1", now(), BODY)
    }

    fn verifier(secret: &str) -> Verifier {
        Verifier::new([Secret::from(secret)]).unwrap()
    }

    #[test]
    fn the_published_vector_of_the_standard_scheme_verifies() {
        let body = br#"{"test": 2432232314}"#;
        let key = SigningKey::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let headers =
            sign(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp::from_micros(1_614_265_330_000_000), body);
        assert_eq!(headers[header::SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_fresh_delivery_of_either_kind_of_secret_is_proven() {
        for secret in ["my-signing-secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let verified = verifier(secret).verify(&signed(secret), BODY, now()).unwrap();
            assert_eq!(verified.id, "msg_1");
        }
    }

    #[test]
    fn a_changed_body_id_time_or_key_is_refused() {
        let good = signed("my-signing-secret");
        let changed = |name: &'static str, value: &str| {
            let mut headers = good.clone();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let v = verifier("my-signing-secret");
        assert_eq!(v.verify(&good, b"{}", now()), Err(VerifyError::WrongSignature));
        assert_eq!(v.verify(&changed(header::ID, "msg_2"), BODY, now()), Err(VerifyError::WrongSignature));
        assert_eq!(v.verify(&changed(header::TIMESTAMP, "1"), BODY, now()), Err(VerifyError::WrongSignature));
        assert_eq!(verifier("another").verify(&good, BODY, now()), Err(VerifyError::WrongSignature));
        assert_eq!(v.verify(&HeaderMap::new(), BODY, now()), Err(VerifyError::Unsigned));
    }

    #[test]
    fn what_was_sent_too_early_or_too_late_is_refused() {
        let v = verifier("my-signing-secret").tolerance(Duration::from_secs(60));
        let good = signed("my-signing-secret");
        for (seconds, fits) in [(0, true), (60, true), (61, false)] {
            let later = now().plus(Duration::from_secs(seconds));
            let earlier = now().minus(Duration::from_secs(seconds));
            assert_eq!(v.verify(&good, BODY, later).is_ok(), fits, "{seconds} s later");
            assert_eq!(v.verify(&good, BODY, earlier).is_ok(), fits, "{seconds} s earlier");
        }
    }

    #[test]
    fn the_older_scheme_counts_only_where_it_is_accepted_and_never_instead_of_the_standard_one() {
        let mut old = signed("my-signing-secret");
        old.remove(header::SIGNATURE);
        let v = verifier("my-signing-secret");
        assert_eq!(v.verify(&old, BODY, now()), Err(VerifyError::Unsigned));
        assert!(v.clone().accept_legacy().verify(&old, BODY, now()).is_ok());
        let late = now().plus(Duration::from_secs(301));
        assert_eq!(v.clone().accept_legacy().verify(&old, BODY, late), Err(VerifyError::OutsideTolerance));

        let mut both = signed("my-signing-secret");
        both.insert(header::SIGNATURE, "v1,AAAA".parse().unwrap());
        assert_eq!(v.accept_legacy().verify(&both, BODY, now()), Err(VerifyError::WrongSignature));
    }

    #[test]
    fn a_signature_of_the_older_scheme_is_one_id_however_its_digits_are_written() {
        let mut headers = signed("my-signing-secret");
        headers.remove(header::SIGNATURE);
        let v = verifier("my-signing-secret").accept_legacy();
        let first = v.verify(&headers, BODY, now()).unwrap();
        let text = headers[header::LEGACY_SIGNATURE].to_str().unwrap();
        let capitals = format!("sha256={}", text.trim_start_matches("sha256=").to_ascii_uppercase());
        headers.insert(header::LEGACY_SIGNATURE, capitals.parse().unwrap());
        assert_eq!(v.verify(&headers, BODY, now()).unwrap().id, first.id);
        assert_eq!(v.prove(&headers, BODY, now()), Ok(first.id));
    }

    #[test]
    fn what_is_only_handed_on_is_proven_all_the_same() {
        let good = signed("my-signing-secret");
        let v = verifier("my-signing-secret");
        assert_eq!(v.prove(&good, BODY, now()).as_deref(), Ok("msg_1"));
        assert_eq!(v.prove(&good, b"{}", now()), Err(VerifyError::WrongSignature));
        let late = now().plus(Duration::from_secs(301));
        assert_eq!(v.prove(&good, BODY, late), Err(VerifyError::OutsideTolerance));
    }

    #[test]
    fn either_of_two_secrets_verifies_while_one_is_replaced() {
        let v = Verifier::new(["old-secret".into(), "new-secret".into()]).unwrap();
        for secret in ["old-secret", "new-secret"] {
            assert!(v.verify(&signed(secret), BODY, now()).is_ok());
            let mut old = signed(secret);
            old.remove(header::SIGNATURE);
            assert!(v.clone().accept_legacy().verify(&old, BODY, now()).is_ok(), "{secret}, older scheme");
        }
    }

    #[test]
    fn a_body_beyond_the_limit_is_not_looked_at() {
        let v = verifier("my-signing-secret").body_limit(BODY.len());
        assert!(v.verify(&signed("my-signing-secret"), BODY, now()).is_ok());
        let v = v.body_limit(BODY.len() - 1);
        assert_eq!(v.verify(&signed("my-signing-secret"), BODY, now()), Err(VerifyError::TooLarge));
    }

    #[test]
    fn an_id_with_a_point_is_refused_before_it_can_be_read_in_two_ways() {
        let mut headers = signed("my-signing-secret");
        headers.insert(header::ID, "msg.1".parse().unwrap());
        let refused = verifier("my-signing-secret").verify(&headers, BODY, now());
        assert_eq!(refused, Err(VerifyError::MalformedHeader));
    }

    #[test]
    fn a_header_that_is_there_twice_is_refused() {
        let mut twice = signed("my-signing-secret");
        twice.append(header::ID, "msg_2".parse().unwrap());
        assert_eq!(
            verifier("my-signing-secret").verify(&twice, BODY, now()),
            Err(VerifyError::MalformedHeader)
        );
    }

    #[test]
    fn a_secret_that_cannot_be_what_it_claims_is_refused() {
        for bad in ["", "whsec_", "whsec_short", "whsec_!!!!"] {
            assert!(SigningKey::parse(&bad.into()).is_err(), "{bad}");
        }
    }
}
