//! Encrypted connections, and those that listen.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, poll_fn};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::error::OpenError;
use crate::store::location::Address;

/// What the database says unasked. A connection works only while this is polled.
pub(super) type Messages = BoxStream<'static, Result<AsyncMessage, Error>>;

/// Whether connections are encrypted.
#[derive(Clone)]
pub(super) enum Tls {
    Off,
    On(MakeRustlsConnect),
}

impl Tls {
    /// Certificates are judged as the machine judges them.
    pub(super) fn of(address: &Address) -> Result<Tls, OpenError> {
        if address.config().get_ssl_mode() == SslMode::Disable {
            return Ok(Tls::Off);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| OpenError::Tls(error.to_string()))?
            .with_no_client_auth();
        Ok(Tls::On(MakeRustlsConnect::new(config)))
    }

    pub(super) async fn connect(&self, config: &Config) -> Result<(Client, Messages), Error> {
        match self {
            Tls::Off => {
                let (client, mut connection) = config.connect(NoTls).await?;
                Ok((client, poll_fn(move |context| connection.poll_message(context)).boxed()))
            }
            Tls::On(tls) => {
                let (client, mut connection) = config.connect(tls.clone()).await?;
                Ok((client, poll_fn(move |context| connection.poll_message(context)).boxed()))
            }
        }
    }
}
