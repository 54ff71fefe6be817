//! `openpod-server key list|create|rotate|revoke`

use std::time::Duration;

use clap::{Args, Subcommand};
use openpod_sdk::api::Scope;
use openpod_sdk::api::keys::NewKey;

use super::{Outcome, answer, open_existing};
use crate::accounts::{self, KeyHolder};
use crate::config::Config;
use crate::store::{Store, StoreError, keys};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List all keys: public part, holder, scopes, and whether it works.
    List,
    /// Make a key for an agent or owner and print it, this once.
    Create(Create),
    /// Replace a key by a new one that is good for the same, and print that, this once.
    Rotate {
        /// The key's public part: what stands between opk_ or opo_ and the next underscore.
        key_id: String,
        /// How long the old key goes on working.
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        grace_hours: u32,
    },
    /// Take a key out of use, at once and for good.
    Revoke {
        /// The key's public part.
        key_id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    #[command(flatten)]
    holder: Holder,
    /// What the key is called.
    #[arg(long)]
    name: Option<String>,
    /// What it is good for, such as read or tickets:write; repeat it for more. Everything unless told.
    #[arg(long = "scope", value_name = "SCOPE", default_value = "*")]
    scopes: Vec<Scope>,
    /// After how many days it no longer works. Never unless told.
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u32>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Holder {
    /// The agent who gets it, by name.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The owner who gets it, by login.
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
}

impl Key {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = open_existing(&config).await?;
        match self {
            Key::List => list(&store).await,
            Key::Create(create) => create.run(&store).await,
            Key::Rotate { key_id, grace_hours } => {
                let grace = Duration::from_secs(u64::from(grace_hours) * 3600);
                answer(accounts::rotate_key(&store, &key_id, grace).await?.text.expose());
                Ok(())
            }
            Key::Revoke { key_id } => {
                if accounts::revoke_key(&store, &key_id).await? {
                    return Ok(());
                }
                Err(format!("no key {key_id} is in use; see openpod-server key list").into())
            }
        }
    }
}

impl Create {
    async fn run(self, store: &Store) -> Outcome {
        let holder = match (self.holder.agent, self.holder.owner) {
            (Some(name), _) => KeyHolder::Agent(name),
            (None, login) => KeyHolder::Owner(login.unwrap_or_default()),
        };
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3600);
        let expires_at = self.expires_in_days.map(|count| store.sources().clock.now().plus(days(count)));
        let new = NewKey { name: self.name, scopes: self.scopes, expires_at };
        answer(accounts::create_key(store, holder, new).await?.text.expose());
        Ok(())
    }
}

async fn list(store: &Store) -> Outcome {
    let all = store.read::<_, StoreError, _>(|tx| Box::pin(async move { keys::all(tx).await })).await?;
    for keys::ListedKey { holder, known } in all {
        let state = match (known.key.revoked_at, known.key.expires_at) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) => format!("expires {at}"),
            (None, None) => "in use".to_owned(),
        };
        let scopes: Vec<&str> = known.key.scopes.iter().map(Scope::as_str).collect();
        let kind = known.holder_kind().prefix();
        answer(format!("{kind}_{}  {holder}  {}  {state}", known.key.id, scopes.join(",")));
    }
    Ok(())
}
