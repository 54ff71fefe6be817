//! Deliveries over TLS, to a receiver whose certificate an authority of the operator's own signed.

use std::sync::Arc;

use openpod_server::webhooks::{Means, Sender};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::stage::{PATIENCE, Stage, book, local};

/// An authority, and a receiver at `receiver.test` that it vouches for.
struct Receiver {
    authority: String,
    port: u16,
}

impl Receiver {
    async fn start() -> Receiver {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&key).unwrap();
        let issuer = Issuer::new(authority, key);
        let own_key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["receiver.test".to_owned()])
            .unwrap()
            .signed_by(&own_key, &issuer)
            .unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                PrivateKeyDer::try_from(own_key.serialize_der()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config))));
        Receiver { authority: root.pem(), port }
    }
}

/// Answers 200 to whatever comes over TLS.
async fn accept(listener: TcpListener, tls: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = tls.accept(stream).await else { continue };
        let mut buffer = [0; 4096];
        let mut seen = Vec::new();
        while !seen.ends_with(b"}}") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => seen.extend_from_slice(&buffer[..read]),
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn https_is_delivered_where_the_certificate_is_vouched_for_and_nowhere_else() {
    let stage = Stage::new().await;
    let receiver = Receiver::start().await;
    stage.register(&format!("https://receiver.test:{}/hook", receiver.port)).await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    let [(status, _, complaint)] = stage.outbox().await.try_into().unwrap();
    assert_eq!(status, "pending");
    assert!(complaint.clone().unwrap().to_lowercase().contains("certificate"), "{complaint:?}");

    let extra_ca = reqwest::Certificate::from_pem_bundle(receiver.authority.as_bytes()).unwrap();
    let trusting = |extra_ca| Means { policy: local(), names: book(), deadline: PATIENCE, extra_ca };
    let worker = stage.worker_with(Sender::new(trusting(extra_ca.clone())).unwrap());
    stage.world.clock.advance(std::time::Duration::from_secs(10));
    worker.deliver_due().await.unwrap();
    assert_eq!(stage.outbox().await, [("delivered".to_owned(), 2, None)]);

    // The same receiver under a name that its certificate does not hold.
    stage.register(&format!("https://other.test:{}/hook", receiver.port)).await;
    stage.assign().await;
    stage.worker_with(Sender::new(trusting(extra_ca)).unwrap()).deliver_due().await.unwrap();
    let (status, _, complaint) = stage.outbox().await.pop().unwrap();
    assert_eq!(status, "pending", "{complaint:?}");
}
