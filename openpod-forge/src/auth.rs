//! Who calls: an App by its JWT, an installation by a token of an hour, or a person by a token.

mod app_jwt;
mod caller;
mod token;

pub(crate) use caller::{Access, Caller, Credentials, authenticate, presented};
pub use token::NoRandomness;
pub(crate) use token::{Minted, hash, key_pair, mint, random};

/// Why a caller is not who it claims to be. The texts are GitHub's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("Bad credentials")]
    BadCredentials,
    #[error("A JSON web token could not be decoded")]
    NoToken,
    #[error("Integration not found")]
    UnknownApp,
    #[error(
        "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
    )]
    IssuedAt,
    #[error(
        "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
         assertion expires"
    )]
    Expired,
    #[error("'Expiration time' claim ('exp') is too far in the future")]
    TooFarAhead,
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}
