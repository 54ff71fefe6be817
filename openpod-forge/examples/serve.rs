//! A forge with one App and one repository, until Ctrl-C. It prints what a client needs, as one line of JSON.
//!
//!     cargo run -p openpod-forge --example serve -- /tmp/forge-data
//!
//! The JSON holds `api_url`, `web_url`, `app_id`, `private_key`, `installation_id`, `owner`, `repository` and a
//! `person_token`, which also opens the pages: give it as the password.

use std::io::Write;
use std::sync::Arc;

use openpod_forge::{Forge, ForgeConfig, Permissions, Seed, SetupError, SystemClock};
use secrecy::ExposeSecret;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data_dir = std::env::args_os().nth(1).ok_or("give the data directory")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let web_url = format!("http://{}", listener.local_addr()?).parse()?;
    let config = ForgeConfig { data_dir: data_dir.into(), web_url, long_tokens: false };
    let forge = Forge::open(config, Arc::new(SystemClock)).await?;

    let app = forge.ensure_app("openpod", Permissions::for_agents()).await?;
    let seed = Seed::new().file("README.md", "# Shop\n").file("src/price.py", "def price():\n    return 1\n");
    match forge.create_repository("acme", "shop", seed).await {
        Ok(_) | Err(SetupError::Exists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let installation = forge.install(app.app_id, "acme").await?;
    let person = forge.create_user("olivia").await?;
    let facts = serde_json::json!({
        "api_url": forge.api_url(),
        "web_url": forge.web_url(),
        "app_id": app.app_id,
        "private_key": app.private_key_pem.expose_secret(),
        "installation_id": installation,
        "owner": "acme",
        "repository": "shop",
        "person_token": person,
    });
    let mut out = std::io::stdout();
    writeln!(out, "{facts}")?;
    out.flush()?;

    let interrupted = async {
        // Without a way to be interrupted it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    openpod_forge::serve(listener, forge, interrupted).await?;
    Ok(())
}
