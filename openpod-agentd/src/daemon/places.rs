//! The places for work that the agents of a daemon share, handed out in turn: whoever finds none free waits in line, and
//! whoever had one goes to its end. So none starves, however much work another has.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All places.
#[derive(Clone)]
pub struct Places {
    line: Arc<Mutex<Line>>,
}

/// One agent's way to a place. Dropped, it holds none.
pub struct Seat {
    places: Places,
    number: usize,
    called: Arc<Notify>,
}

impl Places {
    /// So many, or as many as anybody wants.
    pub fn new(total: Option<usize>) -> Self {
        let line = Line { total: total.unwrap_or(usize::MAX), ..Line::default() };
        Self { line: Arc::new(Mutex::new(line)) }
    }

    /// A way to them for one more agent.
    pub fn seat(&self) -> Seat {
        let called = Arc::new(Notify::new());
        let mut line = self.line();
        line.agents.push(Agent { called: Arc::clone(&called), ..Agent::default() });
        Seat { places: self.clone(), number: line.agents.len() - 1, called }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Takes a place, or waits in line for one: [`Seat::called`] tells when it is there.
    pub(super) fn take(&self) -> bool {
        self.places.line().take(self.number)
    }

    /// Says how many places are in use.
    pub(super) fn holds(&self, places: usize) {
        self.places.line().hold(self.number, places);
    }

    /// Wants none at present: what was kept for it goes to the next in line.
    pub(super) fn leave_line(&self) {
        self.places.line().leave(self.number);
    }

    /// Returns when a place is kept for this agent.
    pub(super) async fn called(&self) {
        self.called.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut line = self.places.line();
        line.leave(self.number);
        line.hold(self.number, 0);
    }
}

#[derive(Default)]
struct Line {
    total: usize,
    agents: Vec<Agent>,
    waiting: VecDeque<usize>,
}

#[derive(Default)]
struct Agent {
    held: usize,
    /// Kept for it.
    kept: usize,
    called: Arc<Notify>,
}

impl Line {
    fn free(&self) -> usize {
        self.agents.iter().fold(self.total, |left, agent| left.saturating_sub(agent.held + agent.kept))
    }

    fn take(&mut self, number: usize) -> bool {
        let kept = self.agents[number].kept > 0;
        if !kept && (self.free() == 0 || !self.waiting.is_empty()) {
            if !self.waiting.contains(&number) {
                self.waiting.push_back(number);
            }
            return false;
        }
        let agent = &mut self.agents[number];
        agent.kept -= usize::from(kept);
        agent.held += 1;
        true
    }

    fn hold(&mut self, number: usize, places: usize) {
        self.agents[number].held = places;
        self.serve();
    }

    fn leave(&mut self, number: usize) {
        self.agents[number].kept = 0;
        self.waiting.retain(|waiting| *waiting != number);
        self.serve();
    }

    fn serve(&mut self) {
        while self.free() > 0
            && let Some(first) = self.waiting.pop_front()
        {
            self.agents[first].kept += 1;
            self.agents[first].called.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(total: usize, agents: usize) -> Line {
        Line { total, agents: (0..agents).map(|_| Agent::default()).collect(), waiting: VecDeque::new() }
    }

    /// Everybody always has work. A place that is left is wanted again by whoever left it.
    fn turns(total: usize, agents: usize, rounds: usize) -> Vec<usize> {
        let mut line = line(total, agents);
        let mut at_work = VecDeque::new();
        for agent in (0..agents).cycle().take(agents * total) {
            if line.take(agent) {
                at_work.push_back(agent);
            }
        }
        let mut turns: Vec<usize> = at_work.iter().copied().collect();
        for _ in 0..rounds {
            let done = at_work.pop_front().unwrap();
            let held = line.agents[done].held - 1;
            line.hold(done, held);
            line.take(done);
            let called = (0..agents).find(|agent| line.agents[*agent].kept > 0).unwrap();
            assert!(line.take(called));
            line.take(called);
            at_work.push_back(called);
            turns.push(called);
        }
        turns
    }

    #[test]
    fn agents_that_always_have_work_take_turns() {
        assert_eq!(turns(1, 3, 6), [0, 1, 2, 0, 1, 2, 0]);
        let many = turns(2, 5, 48);
        for agent in 0..5 {
            assert_eq!(many.iter().filter(|turn| **turn == agent).count(), 10, "{many:?}");
        }
    }

    #[test]
    fn whoever_is_alone_may_have_all_places_and_one_who_has_no_work_keeps_none() {
        let mut line = line(2, 3);
        assert!(line.take(0) && line.take(0) && !line.take(0));
        assert!(!line.take(1) && !line.take(2));
        line.leave(0);
        line.hold(0, 1);
        assert_eq!(line.agents[1].kept, 1);
        // It has nothing to do any more.
        line.leave(1);
        assert_eq!((line.agents[1].kept, line.agents[2].kept), (0, 1));
        assert!(line.take(2));
    }

    proptest! {
        #[test]
        fn never_are_more_places_given_than_there_are_and_none_is_free_while_somebody_waits(
            total in 1_usize..4,
            steps in proptest::collection::vec((0_usize..4, 0_u8..3), 1..200),
        ) {
            let mut line = line(total, 4);
            for (agent, step) in steps {
                match step {
                    0 => drop(line.take(agent)),
                    1 => {
                        let held = line.agents[agent].held.saturating_sub(1);
                        line.hold(agent, held);
                    }
                    _ => line.leave(agent),
                }
                let given: usize = line.agents.iter().map(|agent| agent.held + agent.kept).sum();
                prop_assert!(given <= total, "{} of {}", given, total);
                prop_assert!(line.waiting.is_empty() || line.free() == 0);
            }
        }
    }
}
