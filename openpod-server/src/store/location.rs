//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_postgres::config::{Host, SslMode};

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite's.
    File(PathBuf),
    /// In memory, gone when the store is dropped; for tests and trials.
    Memory,
    /// A PostgreSQL database.
    Postgres(Address),
}

/// How a PostgreSQL database is reached. It prints without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    config: Arc<tokio_postgres::Config>,
    authorities: Option<PathBuf>,
    keeps_own_time: bool,
}

/// A text that is no address of a PostgreSQL database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no address of a PostgreSQL database")]
pub struct BadAddress;

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
    ///
    /// Without an `sslmode`, a connection that leaves the machine is encrypted. An encrypted connection is to a server
    /// whose certificate is good for its host, always: `require` and `verify-ca` mean no less than `verify-full`. Who
    /// may issue certificates the machine says, or the file of `sslrootcert`.
    pub fn parse(url: &str) -> Result<Address, BadAddress> {
        let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let (url, authorities) = without_verification(url);
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| BadAddress)?;
        if !is_url || config.get_dbname().is_none_or(str::is_empty) || config.get_hosts().is_empty() {
            return Err(BadAddress);
        }
        if !url.contains("sslmode=") {
            let stays = authorities.is_none() && config.get_hosts().iter().all(is_here);
            config.ssl_mode(if stays { SslMode::Disable } else { SslMode::Require });
        }
        Ok(Address { config: Arc::new(config), authorities, keeps_own_time: false })
    }

    /// Takes the time from the process's clock instead of the database's: for tests that move a clock, and right only
    /// while a single process writes.
    #[must_use]
    pub fn with_own_time(mut self) -> Self {
        self.keeps_own_time = true;
        self
    }

    pub(super) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// The file of those who may issue the server's certificate; `None` for whom the machine trusts.
    pub(super) fn authorities(&self) -> Option<&Path> {
        self.authorities.as_deref()
    }

    pub(super) fn keeps_own_time(&self) -> bool {
        self.keeps_own_time
    }
}

/// Takes out of an address what the driver does not know: how certificates are verified, and the file that does it.
fn without_verification(url: &str) -> (String, Option<PathBuf>) {
    let Some((start, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (mut kept, mut authorities) = (Vec::new(), None);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require".to_owned()),
            Some(("sslrootcert", _)) => {
                // A plus is itself here, not a space as in a form.
                let pair = pair.replace('+', "%2B");
                let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
                authorities = decoded.map(|(_, path)| PathBuf::from(path.into_owned()));
            }
            _ => kept.push(pair.to_owned()),
        }
    }
    (format!("{start}?{}", kept.join("&")), authorities)
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.config.get_dbname().unwrap_or_default())?;
        match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => write!(f, " at {name}"),
            Some(Host::Unix(path)) => write!(f, " at {}", path.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_encrypted_when_it_leaves_the_machine_unless_told() {
        for (url, mode) in [
            ("postgres://u:p@db.example.org/openpod", SslMode::Require),
            ("postgres://u:p@10.0.0.7:5433/openpod", SslMode::Require),
            ("postgres://u:p@db.example.org/openpod?sslmode=prefer", SslMode::Prefer),
            ("postgres://u@localhost/openpod?sslmode=verify-full", SslMode::Require),
            ("postgres://u@localhost/openpod?connect_timeout=5&sslrootcert=/ca.pem", SslMode::Require),
            ("postgres://u:p@localhost/openpod", SslMode::Disable),
            ("postgresql://u@127.0.0.1/openpod", SslMode::Disable),
            ("postgres://u@%2Frun%2Fpostgresql/openpod", SslMode::Disable),
            ("postgres:///openpod?user=u&host=/run/postgresql", SslMode::Disable),
        ] {
            assert_eq!(Address::parse(url).unwrap().config().get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn an_address_names_the_file_of_those_who_may_issue_certificates() {
        let address =
            Address::parse("postgres://u@h/d?sslmode=verify-ca&sslrootcert=/etc/my%20c+a.pem").unwrap();
        assert_eq!(address.authorities(), Some(Path::new("/etc/my c+a.pem")));
        assert_eq!(Address::parse("postgres://u@h/d?sslmode=require").unwrap().authorities(), None);
        assert_eq!(Address::parse("postgres://u@h/d?sslmode=verify"), Err(BadAddress));
    }

    #[test]
    fn an_address_names_a_database_and_prints_no_password() {
        for bad in
            ["", "postgres://", "postgres://u@h", "host=h dbname=d", "sqlite:x", "postgres://u@h/d?x=y"]
        {
            assert_eq!(Address::parse(bad), Err(BadAddress), "{bad}");
        }
        let address = Address::parse("postgres://u:hunter2@db.example.org/openpod").unwrap();
        assert_eq!(
            format!("{address} {address:?}"),
            "openpod at db.example.org Address(openpod at db.example.org)"
        );
    }
}
