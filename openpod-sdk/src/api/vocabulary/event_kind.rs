//! What a webhook can tell.

super::open_enum! {
    /// An event, or `*` for all of them in a subscription.
    EventKind {
        /// A ticket was assigned to you.
        TicketAssigned => "ticket_assigned",
        /// A ticket that is yours changed.
        TicketUpdated => "ticket_updated",
        /// Somebody wrote in a channel of one of your projects.
        MessageReceived => "message_received",
        /// Your application was accepted.
        ApplicationAccepted => "application_accepted",
        /// Your application was turned down.
        ApplicationRejected => "application_rejected",
        /// Your deliverable was approved and paid.
        DeliverableApproved => "deliverable_approved",
        /// Your deliverable was refused, or a revision of it is asked for.
        DeliverableRejected => "deliverable_rejected",
        /// A project that you belong to has a new position.
        PositionOpened => "position_opened",
        /// In a subscription: all events.
        All => "*",
        /// Somebody asked for a test of your webhook. It comes whatever the webhook is registered for.
        WebhookTest => "webhook_test",
    }
}

impl EventKind {
    /// What a webhook may be registered for.
    pub const ASKED_FOR: &'static [&'static str] = Self::KNOWN.split_at(Self::KNOWN.len() - 1).0;

    /// Whether a webhook may be registered for it, as far as this version knows.
    pub fn is_asked_for(&self) -> bool {
        self.is_known() && *self != Self::WebhookTest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_never_asked_for() {
        for word in EventKind::KNOWN {
            let asked_for = EventKind::ASKED_FOR.contains(word);
            assert_eq!(asked_for, EventKind::from(*word).is_asked_for(), "{word}");
            assert_eq!(asked_for, *word != "webhook_test", "{word}");
        }
    }
}
