//! What can go wrong with a call.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::RawAnswer;
use crate::api::ErrorCode;
use crate::dialect::Unsupported;

/// A call that did not succeed. Decide by [`Error::kind`], [`Error::code`] and [`Error::status`].
///
/// It prints what was called, what happened, the request's id and how often it was tried; never a key or token.
pub struct Error(Box<Inner>);

struct Inner {
    operation: &'static str,
    fault: Fault,
    attempts: u32,
    elapsed: Duration,
    raw: Option<RawAnswer>,
    idempotency_key: Option<String>,
}

/// What kind of failure it was, which says what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request could not be made from what was given. Nothing was sent.
    InvalidRequest,
    /// The service cannot be told this in its dialect: see [`Error::unsupported`]. Nothing was sent.
    Unsupported,
    /// The service could not be reached. Nothing was sent.
    Unreachable,
    /// The request was sent and no answer came. Nothing can have changed by it, or a repetition does no harm.
    Interrupted,
    /// The request was sent, and whether it took effect is not known. Look before you send it again.
    OutcomeUnknown,
    /// The service refused: see status and code.
    Refused,
    /// Too many requests: wait for [`Error::retry_after`].
    RateLimited,
    /// The service is in trouble (5xx). Nothing can have changed by it, or a repetition does no harm.
    ServiceFailed,
    /// The answer says success, but cannot be read, or an answer is larger than the limit. Nothing can have changed by it,
    /// or a repetition does no harm.
    Malformed,
}

/// What happened to one attempt.
#[derive(Debug)]
pub(super) enum Fault {
    Request(String),
    Unsupported(Box<Unsupported>),
    /// The limit for all clones is spent; nothing was sent.
    HeldBack(Duration),
    NeverSent(String),
    Interrupted(String),
    TooLarge,
    Malformed {
        status: u16,
        problem: String,
        request_id: Option<String>,
    },
    Answered(Box<Answer>),
    OutcomeUnknown(Box<Fault>),
}

/// An answer that is no success.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whether the body has the platform's form. A proxy on the way answers in forms of its own.
    pub(super) ours: bool,
    pub(super) message: String,
    pub(super) code: Option<ErrorCode>,
    pub(super) request_id: Option<String>,
    pub(super) details: Option<Map<String, Value>>,
    pub(super) retry_after: Option<Duration>,
}

impl From<Unsupported> for Fault {
    fn from(unsupported: Unsupported) -> Self {
        Fault::Unsupported(Box::new(unsupported))
    }
}

impl Fault {
    pub(super) fn request(problem: impl Into<String>) -> Self {
        Fault::Request(problem.into())
    }

    /// Says that the outcome is unknown where it is: something may have happened, and a repetition might do it twice.
    pub(super) fn with_outcome(self, harmless: bool) -> Self {
        let doubtful = match &self {
            Fault::Interrupted(_) | Fault::TooLarge | Fault::Malformed { .. } => true,
            Fault::Answered(answer) => answer.status >= 500 && !answer.ours,
            _ => false,
        };
        if doubtful && !harmless { Fault::OutcomeUnknown(Box::new(self)) } else { self }
    }

    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Fault::Request(_) => ErrorKind::InvalidRequest,
            Fault::Unsupported(_) => ErrorKind::Unsupported,
            Fault::HeldBack(_) => ErrorKind::RateLimited,
            Fault::NeverSent(_) => ErrorKind::Unreachable,
            Fault::Interrupted(_) => ErrorKind::Interrupted,
            Fault::TooLarge | Fault::Malformed { .. } => ErrorKind::Malformed,
            Fault::OutcomeUnknown(_) => ErrorKind::OutcomeUnknown,
            Fault::Answered(answer) => match answer.status {
                429 => ErrorKind::RateLimited,
                500.. => ErrorKind::ServiceFailed,
                _ => ErrorKind::Refused,
            },
        }
    }

    /// What happened, whatever it means for the outcome.
    fn plain(&self) -> &Fault {
        match self {
            Fault::OutcomeUnknown(fault) => fault.plain(),
            fault => fault,
        }
    }

    fn answer(&self) -> Option<&Answer> {
        match self.plain() {
            Fault::Answered(answer) => Some(answer.as_ref()),
            _ => None,
        }
    }
}

impl Error {
    pub(super) fn new(operation: &'static str, fault: Fault, attempts: u32, elapsed: Duration) -> Self {
        Self(Box::new(Inner { operation, fault, attempts, elapsed, raw: None, idempotency_key: None }))
    }

    pub(super) fn with_raw(mut self, raw: Option<RawAnswer>) -> Self {
        self.0.raw = raw;
        self
    }

    pub(super) fn with_key(mut self, key: Option<String>) -> Self {
        self.0.idempotency_key = key;
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.0.fault.kind()
    }

    /// The operation's name, such as `UpdateTicket`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The status of the answer, if one came.
    pub fn status(&self) -> Option<u16> {
        match self.0.fault.plain() {
            Fault::Malformed { status, .. } => Some(*status),
            fault => fault.answer().map(|answer| answer.status),
        }
    }

    /// The machine's word for the refusal.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.0.fault.answer()?.code.as_ref()
    }

    /// Whether the service refused with this code.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(&code)
    }

    /// Whether the service itself answered. What stands before it, such as a proxy, refuses in forms of its own.
    pub fn is_from_service(&self) -> bool {
        self.0.fault.answer().is_some_and(|answer| answer.ours)
    }

    /// The service's sentence for a person.
    pub fn message(&self) -> Option<&str> {
        self.0.fault.answer().map(|answer| answer.message.as_str()).filter(|text| !text.is_empty())
    }

    /// What else the refusal says, such as the fields that were refused.
    pub fn details(&self) -> Option<&Map<String, Value>> {
        self.0.fault.answer()?.details.as_ref()
    }

    /// What the dialect of the service cannot say, and what to do instead.
    pub fn unsupported(&self) -> Option<&Unsupported> {
        match &self.0.fault {
            Fault::Unsupported(unsupported) => Some(unsupported),
            _ => None,
        }
    }

    /// Names the request in the server's log.
    pub fn request_id(&self) -> Option<&str> {
        match self.0.fault.plain() {
            Fault::Malformed { request_id, .. } => request_id.as_deref(),
            fault => fault.answer()?.request_id.as_deref(),
        }
    }

    /// How long the service asks to wait, or our own limit does ([`ClientBuilder`](super::ClientBuilder)).
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.fault {
            Fault::HeldBack(wait) => Some(*wait),
            fault => fault.answer()?.retry_after,
        }
    }

    /// The answer to the last attempt as it came, if one did.
    pub fn raw(&self) -> Option<&RawAnswer> {
        self.0.raw.as_ref()
    }

    /// The name under which the call was sent, where it had one; see [`CallOptions::again`](super::CallOptions::again).
    pub fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    /// How often it was tried.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the call took, with all attempts, pauses and turns.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Request(problem) => write!(f, "the request cannot be made: {problem}"),
            Fault::HeldBack(wait) => {
                write!(f, "nothing was sent: the calls of this minute are spent; {wait:.0?} to wait")
            }
            Fault::Unsupported(unsupported) => write!(f, "{unsupported}"),
            Fault::NeverSent(problem) => write!(f, "the service could not be reached: {problem}"),
            Fault::Interrupted(problem) => write!(f, "no answer came: {problem}"),
            Fault::TooLarge => f.write_str("the answer is larger than the limit"),
            Fault::Malformed { status, problem, .. } => {
                write!(f, "the answer ({status}) cannot be read: {problem}")
            }
            Fault::OutcomeUnknown(fault) => write!(f, "it is not known whether it took effect: {fault}"),
            Fault::Answered(answer) => {
                let Answer { status, code, message, .. } = answer.as_ref();
                write!(f, "{status}")?;
                if let Some(code) = code {
                    write!(f, " {code}")?;
                }
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.fault)?;
        if let Some(id) = self.request_id() {
            write!(f, " [request {id}]")?;
        }
        if self.0.attempts > 1 {
            write!(f, " (after {} attempts in {:.1?})", self.0.attempts, self.0.elapsed)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("operation", &self.0.operation)
            .field("fault", &self.0.fault)
            .field("attempts", &self.0.attempts)
            .field("elapsed", &self.0.elapsed)
            .finish()
    }
}

impl std::error::Error for Error {}
