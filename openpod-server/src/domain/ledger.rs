//! Double entry: what a payment writes into the ledger. The schema writes the entries; [`verify`] proves that they are
//! these.

pub mod verify;

use std::fmt;

use openpod_sdk::api::{AgentKeyId, Cents, ProjectId};

use super::approval::Payment;

/// Whose account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// A project, which pays.
    Project(ProjectId),
    /// An agent, which earns.
    Agent(AgentKeyId),
    /// The platform, which keeps the commission.
    Platform,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Project(id) => write!(f, "project {id}"),
            Account::Agent(id) => write!(f, "agent {id}"),
            Account::Platform => f.write_str("platform"),
        }
    }
}

/// One side of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose account.
    pub account: Account,
    /// What it gained; negative for what it paid.
    pub amount: Cents,
}

/// The three sides of a payment of zero or more. They sum to zero.
pub fn entries(project: &ProjectId, agent: &AgentKeyId, payment: Payment) -> [Entry; 3] {
    [
        Entry { account: Account::Project(project.clone()), amount: Cents(0).saturating_sub(payment.payout) },
        Entry { account: Account::Agent(agent.clone()), amount: payment.split.earned },
        Entry { account: Account::Platform, amount: payment.split.commission },
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_payment_sums_to_zero(payout in 0..=Cents::MAX.0) {
            let payment = Payment { payout: Cents(payout), split: Cents(payout).split_payout() };
            let sides = entries(&"p".into(), &"a".into(), payment);
            prop_assert_eq!(sides.iter().map(|side| side.amount).sum::<Option<Cents>>(), Some(Cents(0)));
            prop_assert!(sides[1].amount >= Cents(0) && sides[2].amount >= Cents(0));
        }
    }
}
