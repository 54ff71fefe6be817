//! `openpod-server forge create`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use openpod_forge::Seed;

use super::{Outcome, answer, sources};
use crate::config::Config;
use crate::lifecycle::open_forge;

#[derive(Debug, Subcommand)]
pub(super) enum ForgeCommand {
    /// Create a repository in the server's own forge, and print its web address.
    Create {
        /// Owner and name, as in acme/website.
        repository: String,
        /// Its first commit holds the files of this directory.
        #[arg(long, value_name = "DIRECTORY")]
        from: Option<PathBuf>,
    },
}

impl ForgeCommand {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let ForgeCommand::Create { repository, from } = self;
        let Some((owner, name)) = repository.split_once('/') else {
            return Err(
                format!("a repository is owner/name, such as acme/website, not {repository:?}").into()
            );
        };
        let seed = from.as_deref().map_or_else(|| Ok(Seed::new()), seed)?;
        let forge = open_forge(&config, &sources(), config.listen.address).await?;
        let (forge, app) = forge.ok_or("the configuration has no forge: set forge.enabled")?;
        let made = forge.create_repository(owner, name, seed).await?;
        forge.install(app.app_id, owner).await?;
        answer(made.html_url);
        Ok(())
    }
}

/// The files of a directory, without what git keeps there.
fn seed(directory: &Path) -> Result<Seed, Box<dyn std::error::Error + Send + Sync>> {
    let mut seed = Seed::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let listing = std::fs::read_dir(&next)
            .map_err(|why| format!("the directory {} cannot be read: {why}", next.display()))?;
        for entry in listing {
            let path = entry?.path();
            let inside = path.strip_prefix(directory)?.to_string_lossy().into_owned();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != ".git") {
                    open.push(path);
                }
                continue;
            }
            let content = std::fs::read(&path)?;
            seed = if is_executable(&path) {
                seed.executable(inside, content)
            } else {
                seed.file(inside, content)
            };
        }
    }
    Ok(seed)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o111 != 0)
}
