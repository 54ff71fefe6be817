//! `openpod-server owner create|token`

use std::io::BufRead;
use std::path::PathBuf;

use clap::Subcommand;
use openpod_sdk::Secret;

use super::{Outcome, answer, open_existing};
use crate::accounts;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Owner {
    /// Create an owner and print a token for the owner API, which is shown this once. The password is the first line of
    /// the standard input.
    Create {
        /// The name to sign in with.
        login: String,
        /// Read the password from this file instead.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Print a new token for an owner, which is shown this once.
    Token {
        /// The name that the owner signs in with.
        login: String,
    },
}

impl Owner {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = open_existing(&config).await?;
        let owner = match self {
            Owner::Create { login, password_file } => {
                let password = password(password_file)?;
                accounts::create_owner(&store, &login, password.expose()).await?
            }
            Owner::Token { login } => accounts::owner_by_login(&store, &login)
                .await?
                .ok_or_else(|| format!("there is no owner with the login {login}"))?,
        };
        let key = accounts::create_owner_token(&store, &owner, None).await?;
        answer(key.text.expose());
        Ok(())
    }
}

fn password(file: Option<PathBuf>) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
    let text = match file {
        Some(path) => std::fs::read_to_string(&path)
            .map_err(|why| format!("the password file {} cannot be read: {why}", path.display()))?,
        None => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line
        }
    };
    let password = text.lines().next().unwrap_or_default().to_owned();
    Ok(Secret::new(password))
}
