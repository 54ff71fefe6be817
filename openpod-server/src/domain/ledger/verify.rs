//! Proving the ledger: every transaction against its formula, its entries and its ticket, every account against its
//! transactions.

use std::collections::BTreeMap;

use openpod_sdk::api::{AgentKeyId, Cents, ProjectId, TicketId, TransactionId};

use super::{Account, Entry, entries};
use crate::domain::approval::Payment;

/// A transaction as it was found, with what it must agree with.
#[derive(Debug, Clone, PartialEq)]
pub struct Booked {
    /// The transaction.
    pub id: TransactionId,
    /// Who paid.
    pub project: ProjectId,
    /// Who earned.
    pub agent: AgentKeyId,
    /// What was paid.
    pub amount: Cents,
    /// What the platform kept of it.
    pub commission: Cents,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// The ticket that it paid for.
    pub ticket: TicketId,
    /// What that ticket was approved for, where and for whom; `None` when it is not approved.
    pub approved: Option<Approved>,
}

/// An approved ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// Where.
    pub project: ProjectId,
    /// For whom.
    pub agent: Option<AgentKeyId>,
    /// For how much.
    pub payout: Cents,
}

/// A row that breaks an invariant.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Money was made or lost.
    #[error("transaction {0}: its entries are not the three sides of its payment")]
    Entries(TransactionId),
    /// The platform kept too much or too little.
    #[error("transaction {id}: its commission is {found}, it should be {right}")]
    Commission {
        /// Which transaction.
        id: TransactionId,
        /// What it says.
        found: Cents,
        /// What follows from the amount.
        right: Cents,
    },
    /// It is not what was approved.
    #[error("transaction {id}: it is not what ticket {ticket} was approved for")]
    Approval {
        /// Which transaction.
        id: TransactionId,
        /// The ticket that it names.
        ticket: TicketId,
    },
    /// A ticket was paid again.
    #[error("ticket {0}: it was paid more than once")]
    PaidTwice(TicketId),
    /// A ticket was approved and not paid.
    #[error("ticket {0}: it is approved, but no transaction pays for it")]
    Unpaid(TicketId),
    /// An entry of no transaction.
    #[error("entry of account {0}: its transaction {1} is not there")]
    Stray(Account, TransactionId),
    /// More was paid than may be.
    #[error("project {project}: it paid {spent} of a budget of {budget}")]
    Overspent {
        /// Which project.
        project: ProjectId,
        /// What it paid.
        spent: Cents,
        /// What it may pay.
        budget: Cents,
    },
    /// An account that does not hold what its transactions come to.
    #[error("account {0}: its entries come to {1} cents, its transactions to {2}")]
    Balance(Account, i128, i128),
    /// The entries of all accounts together.
    #[error("all accounts: they come to {0} cents, not to 0")]
    Total(i128),
}

/// The walk through the ledger: give it every row, then ask what is wrong.
#[derive(Debug, Default)]
pub struct Verifier {
    faults: Vec<Fault>,
    /// What each account's entries come to, and what they should come to.
    accounts: BTreeMap<Account, (i128, i128)>,
    transactions: u64,
    paid: i128,
}

/// What the walk found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// How many transactions there are.
    pub transactions: u64,
    /// What they come to, in cents.
    pub paid: i128,
}

impl Verifier {
    /// Looks at a transaction.
    pub fn transaction(&mut self, booked: &Booked) {
        self.transactions += 1;
        self.paid += i128::from(booked.amount.0);
        let split = booked.amount.split_payout();
        if booked.commission != split.commission {
            let (id, found, right) = (booked.id.clone(), booked.commission, split.commission);
            self.faults.push(Fault::Commission { id, found, right });
        }
        let right = entries(&booked.project, &booked.agent, Payment { payout: booked.amount, split });
        let same =
            booked.entries.len() == right.len() && right.iter().all(|side| booked.entries.contains(side));
        if !same {
            self.faults.push(Fault::Entries(booked.id.clone()));
        }
        let approved = booked.approved.as_ref().is_some_and(|approved| {
            approved.project == booked.project
                && approved.agent.as_ref() == Some(&booked.agent)
                && approved.payout == booked.amount
        });
        if !approved {
            self.faults.push(Fault::Approval { id: booked.id.clone(), ticket: booked.ticket.clone() });
        }
        for side in right {
            self.accounts.entry(side.account).or_default().1 += i128::from(side.amount.0);
        }
        for side in &booked.entries {
            self.accounts.entry(side.account.clone()).or_default().0 += i128::from(side.amount.0);
        }
    }

    /// Looks at an entry whose transaction is not there.
    pub fn stray(&mut self, transaction: TransactionId, entry: Entry) {
        self.accounts.entry(entry.account.clone()).or_default().0 += i128::from(entry.amount.0);
        self.faults.push(Fault::Stray(entry.account, transaction));
    }

    /// Takes in what was found otherwise.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// What is wrong, accounts included.
    pub fn finish(mut self) -> Findings {
        let total: i128 = self.accounts.values().map(|(held, _)| held).sum();
        for (account, (held, right)) in self.accounts {
            if held != right {
                self.faults.push(Fault::Balance(account, held, right));
            }
        }
        if total != 0 {
            self.faults.push(Fault::Total(total));
        }
        Findings { faults: self.faults, transactions: self.transactions, paid: self.paid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right() -> Booked {
        let split = Cents(5005).split_payout();
        Booked {
            id: "x".into(),
            project: "p".into(),
            agent: "a".into(),
            amount: Cents(5005),
            commission: split.commission,
            entries: entries(&"p".into(), &"a".into(), Payment { payout: Cents(5005), split }).into(),
            ticket: "t".into(),
            approved: Some(Approved { project: "p".into(), agent: Some("a".into()), payout: Cents(5005) }),
        }
    }

    fn faults(booked: &Booked) -> Vec<String> {
        let mut verifier = Verifier::default();
        verifier.transaction(booked);
        verifier.finish().faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_right_transaction_has_no_fault() {
        assert_eq!(faults(&right()), Vec::<String>::new());
    }

    #[test]
    fn every_way_to_be_wrong_is_named_with_its_row() {
        let mut entry_lost = right();
        entry_lost.entries.pop();
        let found = faults(&entry_lost);
        assert_eq!(found[0], "transaction x: its entries are not the three sides of its payment");
        assert_eq!(found[1], "account platform: its entries come to 0 cents, its transactions to 501");
        assert_eq!(found[2], "all accounts: they come to -501 cents, not to 0");

        let generous = Booked { commission: Cents(500), ..right() };
        assert_eq!(faults(&generous), ["transaction x: its commission is $5.00, it should be $5.01"]);

        let wrong = ["transaction x: it is not what ticket t was approved for"];
        assert_eq!(faults(&Booked { approved: None, ..right() }), wrong);
        let approved = right().approved.unwrap();
        for other in [
            Approved { payout: Cents(5004), ..approved.clone() },
            Approved { agent: None, ..approved.clone() },
            Approved { project: "q".into(), ..approved },
        ] {
            assert_eq!(faults(&Booked { approved: Some(other), ..right() }), wrong);
        }

        for amount in [Cents(i64::MIN), Cents(i64::MAX)] {
            assert_eq!(
                faults(&Booked { amount, ..right() })[1],
                found[0],
                "an amount beyond all sense: {amount}"
            );
        }

        let mut verifier = Verifier::default();
        verifier.stray("y".into(), Entry { account: Account::Agent("a".into()), amount: Cents(7) });
        let found: Vec<String> = verifier.finish().faults.iter().map(ToString::to_string).collect();
        assert_eq!(found[0], "entry of account agent a: its transaction y is not there");
        assert_eq!(found.len(), 3);
    }
}
