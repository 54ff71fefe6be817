//! Misbehaviour on request, so that tests can prove what their programs do about it. Nothing here waits for a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use tokio::sync::watch;

/// How an answer is lost. What the request asked for has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The connection breaks off in the middle of the answer.
    Cut,
    /// A proxy answers 502 in the forge's place.
    BadGateway,
}

/// How a request is turned away for coming too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The hour's budget is spent, as 403: `x-ratelimit-remaining: 0`, and a reset this many seconds ahead.
    Primary {
        /// Seconds from now.
        reset_after: u32,
    },
    /// Too many at once, as 429 with `Retry-After` in seconds.
    Secondary {
        /// Seconds.
        retry_after: u32,
    },
}

/// What is to go wrong next. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    lost: Vec<Rule<Lost>>,
    limits: Vec<Rule<Limit>>,
    gates: Vec<Rule<watch::Receiver<bool>>>,
    fresh_tokens: u32,
    /// Hash of a token → how often it is refused yet.
    refused: HashMap<String, u32>,
    unknown_mergeability: u32,
}

#[derive(Debug)]
struct Rule<T> {
    method: Method,
    path: String,
    left: u32,
    effect: T,
}

/// Requests wait behind it until it is opened or dropped.
#[derive(Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// Lets everything through that waits.
    pub fn open(self) {}
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

impl Faults {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses the next `times` answers to requests of this method whose path contains `path`.
    pub fn lose_answers(&self, method: Method, path: &str, times: u32, how: Lost) {
        self.plan().lost.push(Rule { method, path: path.into(), left: times, effect: how });
    }

    /// Turns away the next `times` requests of this method whose path contains `path`. Nothing happens for them.
    pub fn limit_rate(&self, method: Method, path: &str, times: u32, how: Limit) {
        self.plan().limits.push(Rule { method, path: path.into(), left: times, effect: how });
    }

    /// Answers 401 to the first `requests` requests with every token that is minted from now on, as GitHub does until a
    /// token is known on all its machines.
    pub fn refuse_fresh_tokens(&self, requests: u32) {
        self.plan().fresh_tokens = requests;
    }

    /// Says `"mergeable": null` the next `times` times, as GitHub does while it computes.
    pub fn delay_mergeability(&self, times: u32) {
        self.plan().unknown_mergeability = times;
    }

    /// Holds requests of this method whose path contains `path` until the gate opens.
    pub fn hold(&self, method: Method, path: &str) -> Gate {
        let (sender, receiver) = watch::channel(false);
        self.plan().gates.push(Rule { method, path: path.into(), left: u32::MAX, effect: receiver });
        Gate(sender)
    }

    /// All is well again. Gates that are held stay shut.
    pub fn clear(&self) {
        let mut plan = self.plan();
        let gates = std::mem::take(&mut plan.gates);
        *plan = Plan { gates, ..Plan::default() };
    }

    pub(crate) fn lost(&self, method: &Method, path: &str) -> Option<Lost> {
        take(&mut self.plan().lost, method, path)
    }

    pub(crate) fn limited(&self, method: &Method, path: &str) -> Option<Limit> {
        take(&mut self.plan().limits, method, path)
    }

    /// Waits until no gate is shut before this request.
    pub(crate) async fn pass_gates(&self, method: &Method, path: &str) {
        let shut: Vec<_> = {
            let mut plan = self.plan();
            plan.gates.retain(|rule| !*rule.effect.borrow());
            plan.gates
                .iter()
                .filter(|rule| rule.matches(method, path))
                .map(|rule| rule.effect.clone())
                .collect()
        };
        for mut gate in shut {
            // An error means that the gate was dropped, which opens it.
            let _ = gate.wait_for(|open| *open).await;
        }
    }

    pub(crate) fn minted(&self, token_hash: &str) {
        let mut plan = self.plan();
        if plan.fresh_tokens > 0 {
            let times = plan.fresh_tokens;
            plan.refused.insert(token_hash.to_owned(), times);
        }
    }

    pub(crate) fn refuses(&self, token_hash: &str) -> bool {
        let mut plan = self.plan();
        let Some(left) = plan.refused.get_mut(token_hash) else { return false };
        *left -= 1;
        if *left == 0 {
            plan.refused.remove(token_hash);
        }
        true
    }

    pub(crate) fn mergeability_is_unknown(&self) -> bool {
        let mut plan = self.plan();
        let unknown = plan.unknown_mergeability > 0;
        plan.unknown_mergeability = plan.unknown_mergeability.saturating_sub(1);
        unknown
    }
}

impl<T> Rule<T> {
    fn matches(&self, method: &Method, path: &str) -> bool {
        self.left > 0 && self.method == *method && path.contains(&self.path)
    }
}

fn take<T: Copy>(rules: &mut Vec<Rule<T>>, method: &Method, path: &str) -> Option<T> {
    let rule = rules.iter_mut().find(|rule| rule.matches(method, path))?;
    rule.left -= 1;
    let effect = rule.effect;
    rules.retain(|rule| rule.left > 0);
    Some(effect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_as_often_as_it_was_asked_for_and_where() {
        let faults = Faults::default();
        faults.lose_answers(Method::POST, "/pulls", 2, Lost::Cut);
        assert_eq!(faults.lost(&Method::GET, "/repos/o/r/pulls"), None);
        assert_eq!(faults.lost(&Method::POST, "/repos/o/r/issues"), None);
        assert_eq!(faults.lost(&Method::POST, "/repos/o/r/pulls"), Some(Lost::Cut));
        assert_eq!(faults.lost(&Method::POST, "/repos/o/r/pulls"), Some(Lost::Cut));
        assert_eq!(faults.lost(&Method::POST, "/repos/o/r/pulls"), None);
    }

    #[test]
    fn only_tokens_minted_afterwards_are_refused() {
        let faults = Faults::default();
        faults.minted("old");
        faults.refuse_fresh_tokens(1);
        faults.minted("new");
        assert!(!faults.refuses("old"));
        assert!(faults.refuses("new"));
        assert!(!faults.refuses("new"));
    }

    #[tokio::test]
    async fn a_gate_holds_until_it_is_dropped() {
        let faults = Faults::default();
        let gate = faults.hold(Method::GET, "/slow");
        faults.pass_gates(&Method::GET, "/fast").await;
        let waiting = faults.pass_gates(&Method::GET, "/slow");
        gate.open();
        waiting.await;
        faults.pass_gates(&Method::GET, "/slow").await;
    }
}
