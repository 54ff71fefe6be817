//! Encrypted connections, and those that listen.

use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, poll_fn};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
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
    /// Certificates are judged as the machine judges them, or by the file that the address names.
    pub(super) fn of(address: &Address) -> Result<Tls, OpenError> {
        if address.config().get_ssl_mode() == SslMode::Disable {
            return Ok(Tls::Off);
        }
        let failed = |error: rustls::Error| OpenError::Tls(error.to_string());
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(failed)?;
        let config = match address.authorities() {
            Some(file) => config.with_root_certificates(authorities(file)?),
            None => config.with_platform_verifier().map_err(failed)?,
        };
        Ok(Tls::On(MakeRustlsConnect::new(config.with_no_client_auth())))
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

/// Those whom a PEM file names.
fn authorities(file: &Path) -> Result<RootCertStore, OpenError> {
    let failed = |why: &dyn std::fmt::Display| {
        OpenError::Tls(format!("sslrootcert={} cannot be used: {why}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))? {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"there is no certificate in it"));
    }
    Ok(roots)
}
