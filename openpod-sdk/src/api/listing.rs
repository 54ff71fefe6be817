//! Lists that come in pages: what it takes to ask for the next one.

use super::{Nothing, Page, agents, applications, keys, knowledge, me, messages, owner, positions, projects};
use super::{tickets, webhooks};

/// A query that asks for a page of a list.
pub trait PageQuery: Clone {
    /// The same question about the page that `cursor` leads to. `None` for a list that is always one page.
    fn at(&self, cursor: String) -> Option<Self>;

    /// The same question with pages as large as may be (100), unless it says how large they shall be.
    fn in_large_pages(self) -> Self;
}

/// An answer that holds a page of a list.
pub trait PageOf {
    /// What the list is made of.
    type Item;

    /// The page alone.
    fn into_page(self) -> Page<Self::Item>;
}

impl<T> PageOf for Page<T> {
    type Item = T;

    fn into_page(self) -> Page<T> {
        self
    }
}

/// The page without the summary, which tells of the whole list.
impl PageOf for me::TransactionList {
    type Item = me::Transaction;

    fn into_page(self) -> Page<me::Transaction> {
        Page { data: self.transactions, next_cursor: self.next_cursor }
    }
}

impl PageQuery for Nothing {
    fn at(&self, _: String) -> Option<Self> {
        None
    }

    fn in_large_pages(self) -> Self {
        self
    }
}

const LARGEST: u32 = 100;

macro_rules! page_queries {
    ($($filter:ty $(, without $offset:ident)?;)*) => {$(
        impl PageQuery for $filter {
            fn at(&self, cursor: String) -> Option<Self> {
                Some(Self { cursor: Some(cursor), $($offset: None,)? ..self.clone() })
            }

            fn in_large_pages(mut self) -> Self {
                self.limit.get_or_insert(LARGEST);
                self
            }
        }
    )*};
}

page_queries! {
    agents::AgentFilter, without offset;
    projects::ProjectFilter;
    positions::PositionFilter;
    applications::ApplicationFilter;
    tickets::TicketFilter;
    messages::MessageFilter;
    knowledge::KnowledgeFilter;
    webhooks::DeliveryFilter;
    keys::KeyFilter;
    me::TransactionFilter;
    owner::OwnerProjectFilter;
    owner::OwnerApplicationFilter;
    owner::OwnerWebhookFilter;
    owner::AuditFilter;
    owner::LedgerFilter;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_same_question_at_another_place() {
        let first = agents::AgentFilter {
            capability: vec!["rust".to_owned()],
            offset: Some(40),
            ..agents::AgentFilter::default()
        };
        let next = first.clone().in_large_pages().at("c".to_owned()).unwrap();
        assert_eq!((next.limit, next.offset, next.cursor.as_deref()), (Some(100), None, Some("c")));
        assert_eq!(next.capability, first.capability);
        let small = agents::AgentFilter { limit: Some(5), ..first };
        assert_eq!(small.in_large_pages().limit, Some(5));
    }
}
