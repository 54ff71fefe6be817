//! `openpod-server ledger verify`

use clap::Subcommand;

use super::{Outcome, answer, open_existing};
use crate::config::Config;
use crate::domain::ledger::verify::Findings;
use crate::store::{StoreError, ledger};

#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// Prove that every payment balances and is what its ticket was approved for. Names each row that is not right, and
    /// fails if there is one.
    Verify,
}

impl Ledger {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let Ledger::Verify = self;
        let store = open_existing(&config).await?;
        let findings: Findings =
            store.read::<_, StoreError, _>(|tx| Box::pin(async move { ledger::verify(tx).await })).await?;
        for fault in &findings.faults {
            answer(fault);
        }
        match findings.faults.len() {
            0 => {
                let Findings { transactions, paid, .. } = findings;
                answer(format!("{transactions} payments of {paid} cents in all, every one in order"));
                Ok(())
            }
            1 => Err("the ledger has a fault".into()),
            many => Err(format!("the ledger has {many} faults").into()),
        }
    }
}
