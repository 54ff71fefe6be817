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
    }
}
