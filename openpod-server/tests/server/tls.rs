//! Encrypted connections to PostgreSQL: to a server that can prove who it is, or to none.

use std::path::PathBuf;

use openpod_server::config::Config;
use openpod_server::store::{OpenError, Store, StoreError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::databases::{Cluster, Listens};
use super::two_engines::sources;

/// An authority: it issues certificates, and has one that it issued to itself.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(parameters, key), pem }
    }

    /// A certificate for a host, and its key.
    fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([host.to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A port that nobody listens at.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Opens the database as a configuration names it.
async fn open(url: String) -> Result<Store, OpenError> {
    let config = Config::load(None, &[("database.url", url)]).unwrap();
    Store::open(config.database.location, sources()).await
}

async fn is_encrypted(store: &Store) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let read =
        store.read(move |tx| Box::pin(async move { tx.first(sql, &[], |row| row.get::<bool>("ssl")).await }));
    read.await.unwrap_or_else(|error: StoreError| panic!("{error}")).unwrap()
}

#[tokio::test]
async fn a_connection_is_encrypted_to_a_server_whose_certificate_is_good_and_made_to_no_other() {
    let (ours, other) = (Authority::new("ours"), Authority::new("another"));
    let ((certificate, key), port) = (ours.issue("localhost"), free_port());
    let listens = Listens::AtPort { port, certificate: &certificate, key: &key };
    let Some(cluster) = Cluster::start(listens) else { return };
    let name = cluster.database().await.rsplit_once('/').unwrap().1.to_owned();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = file("our ca.pem", &ours.pem).display().to_string().replace(' ', "%20");
    let wrong = file("other.pem", &other.pem).display().to_string();
    let empty = file("empty.pem", "nothing").display().to_string();
    let url = |host: &str, query: &str| format!("postgres://openpod:hunter2@{host}:{port}/{name}?{query}");

    for query in ["sslmode=verify-full&", "sslmode=require&", ""] {
        let store = open(url("localhost", &format!("{query}sslrootcert={good}"))).await.unwrap();
        assert!(is_encrypted(&store).await, "{query}");
    }
    let plain = open(url("localhost", "sslmode=disable")).await.unwrap();
    assert!(!is_encrypted(&plain).await);
    for (host, query, expected) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={wrong}"), "its certificate is refused"),
        ("localhost", format!("sslmode=require&sslrootcert={wrong}"), "UnknownIssuer"),
        ("localhost", "sslmode=require".to_owned(), "can be named with sslrootcert=<file>"),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={good}"), "its certificate is refused"),
        ("localhost", format!("sslrootcert={empty}"), "there is no certificate in it"),
        ("localhost", "sslrootcert=/no/such.pem".to_owned(), "sslrootcert=/no/such.pem cannot be used"),
    ] {
        let refused = open(url(host, &query)).await.unwrap_err().to_string();
        assert!(refused.contains(expected) && !refused.contains("hunter2"), "{host} {query}: {refused}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_refused_when_that_is_asked_for() {
    let Some(url) = super::databases::postgres().await else { return };
    let refused = open(format!("{url}?sslmode=require")).await.unwrap_err().to_string();
    assert!(refused.contains("cannot be opened") && refused.contains("TLS"), "{refused}");
}
