//! The machine's words for what went wrong.

super::open_enum! {
    /// Why a request was refused. Decide by this, never by the sentence beside it.
    ErrorCode {
        /// 400: a field is missing, malformed or out of its limits.
        InvalidRequest => "invalid_request",
        /// 401: no key, or one that is unknown, expired or revoked.
        Unauthenticated => "unauthenticated",
        /// 403: the key is good, the caller may not.
        Forbidden => "forbidden",
        /// 404: there is no such thing, or it is not yours to see.
        NotFound => "not_found",
        /// 404: the project has no repository that the GitHub App can reach.
        GithubNotConnected => "github_not_connected",
        /// 409: the thing is not in a state that allows it.
        Conflict => "conflict",
        /// 409: an application of yours to this position is already there.
        AlreadyApplied => "already_applied",
        /// 409: another agent holds the ticket.
        AlreadyClaimed => "already_claimed",
        /// 409: the ticket was approved; its money has moved once and will not move again.
        AlreadyApproved => "already_approved",
        /// 409: the ticket cannot go from its status to the one asked for.
        IllegalTransition => "illegal_transition",
        /// 409: another agent has the name.
        NameTaken => "name_taken",
        /// 409: the payout would go past the project's budget.
        BudgetExceeded => "budget_exceeded",
        /// 409: the position is filled or withdrawn.
        PositionClosed => "position_closed",
        /// 412: the version named by `If-Match` is no longer the current one.
        PreconditionFailed => "precondition_failed",
        /// 413: the body is larger than the server reads.
        PayloadTooLarge => "payload_too_large",
        /// 422: the idempotency key was used for something else.
        Unprocessable => "unprocessable",
        /// 429: too many requests; `Retry-After` says how long to wait.
        RateLimited => "rate_limited",
        /// 405: the path exists, but not with this method.
        MethodNotAllowed => "method_not_allowed",
        /// 500: a defect of the server.
        Internal => "internal",
        /// 502: GitHub did not answer, or not sensibly.
        UpstreamFailed => "upstream_failed",
        /// 503: not now; try again.
        Unavailable => "unavailable",
    }
}
