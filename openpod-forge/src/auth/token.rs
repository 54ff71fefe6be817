//! The texts of tokens and keys. Only their hashes are kept.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The machine gave no random bytes or no key.
#[derive(Debug, thiserror::Error)]
#[error("this machine provides no randomness for keys and tokens")]
pub struct NoRandomness;

/// The form of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Minted {
    /// `ghp_` and 36 characters.
    Personal,
    /// `ghs_` and 36 characters.
    Installation,
    /// `ghs_<app>_` and three parts with dots between, about 520 characters: the form that came in 2026.
    LongInstallation { app_id: i64 },
}

/// What identifies a token in the database.
pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// A new token.
pub(crate) fn mint(form: Minted) -> Result<String, NoRandomness> {
    match form {
        Minted::Personal => Ok(format!("ghp_{}", alphanumeric()?)),
        Minted::Installation => Ok(format!("ghs_{}", alphanumeric()?)),
        Minted::LongInstallation { app_id } => {
            let part = |bytes: usize| Ok(URL_SAFE_NO_PAD.encode(random(bytes)?));
            Ok(format!("ghs_{app_id}_{}.{}.{}", part(27)?, part(160)?, part(192)?))
        }
    }
}

/// A new key of an App: the private one in PKCS#8 as PEM, the public one in PKCS#1.
pub(crate) fn key_pair() -> Result<(String, Vec<u8>), NoRandomness> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| NoRandomness)?;
    let private = pair.as_der().map_err(|_| NoRandomness)?;
    Ok((pem(private.as_ref()), pair.public_key().as_ref().to_vec()))
}

pub(crate) fn random(length: usize) -> Result<Vec<u8>, NoRandomness> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

fn alphanumeric() -> Result<String, NoRandomness> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < 36 {
        // What lies beyond a multiple of 62 is thrown away, so that every letter is equally likely.
        let usable = random(64)?.into_iter().filter(|byte| *byte < 248);
        text.extend(usable.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    text.truncate(36);
    Ok(text)
}

pub(super) fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for (n, letter) in encoded.chars().enumerate() {
        if n > 0 && n % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_githubs_forms_and_are_never_the_same() {
        let short = mint(Minted::Installation).unwrap();
        assert!(short.starts_with("ghs_") && short.len() == 40, "{short}");
        assert_ne!(short, mint(Minted::Installation).unwrap());
        assert!(mint(Minted::Personal).unwrap().starts_with("ghp_"));
        let long = mint(Minted::LongInstallation { app_id: 12 }).unwrap();
        assert!(long.starts_with("ghs_12_") && long.matches('.').count() == 2 && long.len() > 500, "{long}");
    }
}
