//! A wire between a server and PostgreSQL, of which single connections can be stopped and cut, by their names.

use std::net::Ipv4Addr;
use std::sync::Arc;

use openpod_server::store::{Address, Location};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// The wire. It lasts as long as this.
pub(super) struct Wire {
    pub(super) location: Location,
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default, Clone)]
struct State {
    /// The name of connections through which nothing goes.
    stopped: Option<&'static str>,
    /// The same of those that were ended, each time.
    cuts: Vec<&'static str>,
}

impl Wire {
    /// A wire to a database at a socket of this machine.
    pub(super) async fn to(url: &str) -> Wire {
        let (socket, database) = socket_of(url);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address::parse(&format!("postgres://openpod@127.0.0.1:{port}/{database}")).unwrap();
        let state = Arc::new(watch::Sender::new(State::default()));
        let watched = Arc::downgrade(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(state) = watched.upgrade().map(|state| state.subscribe()) else { return };
                tokio::spawn(carry(client, UnixStream::connect(socket.clone()).await.unwrap(), state));
            }
        });
        Wire { location: Location::Postgres(address), state }
    }

    /// Lets nothing through any more that goes by connections of this name, in either direction.
    pub(super) fn stop(&self, name: &'static str) {
        self.state.send_modify(|state| state.stopped = Some(name));
    }

    pub(super) fn go_on(&self) {
        self.state.send_modify(|state| state.stopped = None);
    }

    /// Ends the connections of this name that there are.
    pub(super) fn cut(&self, name: &'static str) {
        self.state.send_modify(|state| state.cuts.push(name));
    }
}

/// The socket's file, and the name of the database.
fn socket_of(url: &str) -> (String, String) {
    let (host, rest) = url.split_once('@').unwrap().1.split_once(':').unwrap();
    let (port, database) = rest.split_once('/').unwrap();
    (format!("{}/.s.PGSQL.{port}", host.replace("%2F", "/")), database.to_owned())
}

async fn carry(client: tokio::net::TcpStream, server: UnixStream, state: watch::Receiver<State>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let mut hello = vec![0; 4096];
    let length = from_client.read(&mut hello).await.unwrap();
    hello.truncate(length);
    if to_server.write_all(&hello).await.is_err() {
        return;
    }
    let name = name_in(&hello);
    let (mut gate, mut other, mut cuts) = (state.clone(), state.clone(), state);
    let earlier = cuts.borrow().cuts.len();
    tokio::select! {
        // What was stopped does not get through any more by going on after the cut.
        biased;
        _ = cuts.wait_for(|state| state.cuts[earlier..].contains(&name.as_str())) => {}
        () = pump(&mut from_client, &mut to_server, &mut gate, &name) => {}
        () = pump(&mut from_server, &mut to_client, &mut other, &name) => {}
    }
}

/// What a connection is called, as it says at its beginning. That which sets a database up has no name.
fn name_in(hello: &[u8]) -> String {
    let words: Vec<&[u8]> = hello.split(|byte| *byte == 0).collect();
    let at = words.iter().position(|word| *word == b"application_name");
    at.map(|at| String::from_utf8(words[at + 1].to_vec()).unwrap()).unwrap_or_default()
}

async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    gate: &mut watch::Receiver<State>,
    name: &str,
) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if gate.wait_for(|state| state.stopped != Some(name)).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
