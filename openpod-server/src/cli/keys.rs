//! `openpod-server key list|revoke`

use clap::Subcommand;

use super::{Outcome, answer, open};
use crate::config::Config;
use crate::store::{Store, StoreError, keys};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List all keys: public part, holder, and whether it works.
    List,
    /// Take a key out of use, at once and for good.
    Revoke {
        /// The key's public part: what stands between opk_ or opo_ and the next underscore.
        key_id: String,
    },
}

impl Key {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = open(&config).await?;
        match self {
            Key::List => {
                for key in read(&store).await? {
                    let state = match (key.known.key.revoked_at, key.known.key.expires_at) {
                        (Some(at), _) => format!("revoked {at}"),
                        (None, Some(at)) => format!("expires {at}"),
                        (None, None) => "in use".to_owned(),
                    };
                    let kind = key.known.holder_kind().prefix();
                    answer(format!("{kind}_{}  {}  {state}", key.known.key.id, key.holder));
                }
                Ok(())
            }
            Key::Revoke { key_id } => {
                if revoke(&store, key_id.clone()).await? {
                    return Ok(());
                }
                Err(format!("no key {key_id} is in use; see openpod-server key list").into())
            }
        }
    }
}

async fn read(store: &Store) -> Result<Vec<keys::ListedKey>, StoreError> {
    store.read(|tx| Box::pin(async move { keys::all(tx).await })).await
}

async fn revoke(store: &Store, key_id: String) -> Result<bool, StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                keys::revoke(tx, &key_id, now).await
            })
        })
        .await
}
