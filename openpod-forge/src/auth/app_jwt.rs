//! The JWT with which an App proves itself: RS256, issued not after now, valid for at most ten minutes from now.

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::AuthError;

/// GitHub's limit, in seconds.
const LONGEST: i64 = 600;

/// What a token claims, not proven yet.
#[derive(Debug)]
pub(crate) struct Claimed<'t> {
    token: &'t str,
    claims: Value,
}

impl<'t> Claimed<'t> {
    /// Reads a token without believing it.
    pub(crate) fn read(token: &'t str) -> Result<Self, AuthError> {
        let header = decode_header(token).map_err(|_| AuthError::NoToken)?;
        if header.alg != Algorithm::RS256 {
            return Err(AuthError::NoToken);
        }
        let claims: Value = insecure_decode_claims(token).map_err(|_| AuthError::NoToken)?;
        Ok(Self { token, claims })
    }

    /// Who issued it: an App's number or its client id, as text.
    pub(crate) fn issuer(&self) -> Result<String, AuthError> {
        match &self.claims["iss"] {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(AuthError::UnknownApp),
        }
    }

    /// Believes it, if the key made it and the time is right. `key` is a public key in PKCS#1, `now` in seconds.
    pub(crate) fn prove(&self, key: &[u8], now: i64) -> Result<(), AuthError> {
        let mut rules = Validation::new(Algorithm::RS256);
        // Times are compared below, with the clock that was passed in and with GitHub's words.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        decode::<Value>(self.token, &DecodingKey::from_rsa_der(key), &rules)
            .map_err(|_| AuthError::NoToken)?;
        let issued = self.claims["iat"].as_i64().filter(|issued| *issued <= now);
        issued.ok_or(AuthError::IssuedAt)?;
        let expires = self.claims["exp"].as_i64().filter(|expires| *expires > now);
        let expires = expires.ok_or(AuthError::Expired)?;
        if expires - now > LONGEST { Err(AuthError::TooFarAhead) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    struct Key {
        pem: String,
        public: Vec<u8>,
    }

    fn key() -> Key {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pem = super::super::token::pem(pair.as_der().unwrap().as_ref());
        Key { pem, public: pair.public_key().as_ref().to_vec() }
    }

    fn sign(key: &Key, algorithm: Algorithm, claims: &Value) -> String {
        let encoding = match algorithm {
            Algorithm::HS256 => EncodingKey::from_secret(b"secret"),
            _ => EncodingKey::from_rsa_pem(key.pem.as_bytes()).unwrap(),
        };
        encode(&Header::new(algorithm), claims, &encoding).unwrap()
    }

    fn check(key: &Key, token: &str) -> String {
        let verdict = Claimed::read(token).and_then(|claimed| claimed.prove(&key.public, 1_000_000));
        verdict.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn times_are_judged_with_githubs_words() {
        let key = key();
        for (iat, exp, expected) in [
            (json!(999_940), json!(1_000_540), None),
            (json!(1_000_000), json!(1_000_600), None),
            (json!(1_000_001), json!(1_000_540), Some(AuthError::IssuedAt)),
            (json!("999940"), json!(1_000_540), Some(AuthError::IssuedAt)),
            (Value::Null, json!(1_000_540), Some(AuthError::IssuedAt)),
            (json!(999_940), json!(1_000_601), Some(AuthError::TooFarAhead)),
            (json!(999_940), json!(1_000_000), Some(AuthError::Expired)),
            (json!(999_940), Value::Null, Some(AuthError::Expired)),
        ] {
            let token = sign(&key, Algorithm::RS256, &json!({"iat": iat, "exp": exp, "iss": "1"}));
            let expected = expected.map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(check(&key, &token), expected, "{iat} {exp}");
        }
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_no_token() {
        let (key, other) = (key(), key());
        let claims = json!({"iat": 999_940, "exp": 1_000_540, "iss": 1});
        assert_eq!(check(&key, &sign(&other, Algorithm::RS256, &claims)), AuthError::NoToken.to_string());
        assert_eq!(check(&key, &sign(&key, Algorithm::RS384, &claims)), AuthError::NoToken.to_string());
        assert_eq!(check(&key, &sign(&key, Algorithm::HS256, &claims)), AuthError::NoToken.to_string());
        assert_eq!(check(&key, "eyJ.e30."), AuthError::NoToken.to_string());
    }

    #[test]
    fn the_issuer_is_a_number_or_a_text() {
        let key = key();
        for (issuer, expected) in [(json!(12), Ok("12")), (json!("Iv1.a"), Ok("Iv1.a")), (json!([]), Err(()))]
        {
            let token = sign(&key, Algorithm::RS256, &json!({"iss": issuer}));
            let found = Claimed::read(&token).unwrap().issuer();
            assert_eq!(found.as_deref().map_err(drop), expected);
        }
    }
}
