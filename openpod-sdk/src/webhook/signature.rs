//! The two schemes of signatures, over the raw bytes of a body. The table of them stands in [`super`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;

use crate::Secret;
use crate::api::Timestamp;

/// The names of the headers.
pub mod header {
    /// The message's id, the same on every attempt.
    pub const ID: &str = "webhook-id";
    /// When this attempt was sent: seconds since 1970-01-01T00:00:00Z.
    pub const TIMESTAMP: &str = "webhook-timestamp";
    /// Signatures of the standard scheme, separated by spaces: one for each key in use.
    pub const SIGNATURE: &str = "webhook-signature";
    /// The event's name, for older receivers.
    pub const LEGACY_EVENT: &str = "x-webhook-event";
    /// The signature of the older scheme.
    pub const LEGACY_SIGNATURE: &str = "x-webhook-signature";
}

/// The same as a map of headers looks them up.
pub(super) mod name {
    use http::HeaderName;

    use super::header;

    pub(crate) static ID: HeaderName = HeaderName::from_static(header::ID);
    pub(crate) static TIMESTAMP: HeaderName = HeaderName::from_static(header::TIMESTAMP);
    pub(crate) static SIGNATURE: HeaderName = HeaderName::from_static(header::SIGNATURE);
    pub(crate) static LEGACY_SIGNATURE: HeaderName = HeaderName::from_static(header::LEGACY_SIGNATURE);
}

/// How a secret that the server made begins.
const PREFIX: &str = "whsec_";

/// Room for a decoded signature, which has 32 bytes, as the decoder estimates it.
const LARGEST: usize = 33;

/// A secret that cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// It is empty.
    #[error("the webhook secret is empty")]
    Empty,
    /// What follows `whsec_` is not the base64 of 24 to 64 bytes.
    #[error("a webhook secret that begins with whsec_ must go on with the base64 of 24 to 64 bytes")]
    NotBase64,
}

/// A secret, ready to sign and to check.
#[derive(Clone)]
pub struct SigningKey {
    standard: Hmac<Sha256>,
    legacy: Hmac<Sha256>,
}

impl SigningKey {
    /// Reads a secret. The bytes that follow `whsec_` key the standard scheme; any other secret keys it with its text.
    /// The older scheme is always keyed with the whole text.
    pub fn parse(secret: &Secret) -> Result<Self, BadSecret> {
        let text = secret.expose();
        let standard = match text.strip_prefix(PREFIX) {
            None if text.is_empty() => return Err(BadSecret::Empty),
            None => keyed(text.as_bytes()),
            Some(encoded) => {
                let bytes = STANDARD.decode(encoded).map_err(|_| BadSecret::NotBase64)?;
                if !(24..=64).contains(&bytes.len()) {
                    return Err(BadSecret::NotBase64);
                }
                keyed(&bytes)
            }
        };
        Ok(Self { standard, legacy: keyed(text.as_bytes()) })
    }

    /// The text of a new secret, from 32 random bytes.
    pub fn generate(random: [u8; 32]) -> Secret {
        Secret::new(format!("{PREFIX}{}", STANDARD.encode(random)))
    }

    fn standard_mac(&self, id: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.standard.clone();
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }

    /// Whether one of the signatures of a `webhook-signature` header is this key's, in constant time for each.
    pub(super) fn made_standard(&self, signatures: &str, id: &str, seconds: &str, body: &[u8]) -> bool {
        let right = self.standard_mac(id, seconds, body).finalize();
        signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,")).take(16).any(|encoded| {
            // What is longer than a signature does not fit.
            let mut decoded = [0; LARGEST];
            let length = STANDARD.decode_slice(encoded, &mut decoded).unwrap_or_default();
            <[u8; 32]>::try_from(&decoded[..length]).is_ok_and(|bytes| right == CtOutput::new(bytes.into()))
        })
    }

    /// Whether an `X-Webhook-Signature` header is this key's, in constant time.
    pub(super) fn made_legacy(&self, signature: &str, body: &[u8]) -> bool {
        let mut mac = self.legacy.clone();
        mac.update(body);
        signature
            .strip_prefix("sha256=")
            .and_then(|text| hex::decode(text).ok())
            .is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([secret])")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// The headers that sign a body: the standard scheme with every key, the older one with the first.
///
/// An `id` that no header can carry is replaced character by character.
pub fn sign(keys: &[SigningKey], id: &str, at: Timestamp, body: &[u8]) -> HeaderMap {
    let id: String = id.chars().map(|c| if c.is_ascii_graphic() && c != '.' { c } else { '_' }).collect();
    let seconds = at.as_seconds().to_string();
    let signatures: Vec<String> = keys
        .iter()
        .map(|key| {
            format!("v1,{}", STANDARD.encode(key.standard_mac(&id, &seconds, body).finalize().into_bytes()))
        })
        .collect();
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("printable ASCII is a header value"));
    };
    put(header::ID, &id);
    put(header::TIMESTAMP, &seconds);
    put(header::SIGNATURE, &signatures.join(" "));
    if let Some(key) = keys.first() {
        let mut mac = key.legacy.clone();
        mac.update(body);
        put(header::LEGACY_SIGNATURE, &format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
    }
    headers
}
