//! How an effect failed, and what follows from it. One table.
//!
//! | class | passing | doubted | lasting |
//! |---|---|---|---|
//! | worker | another attempt, if one is left | the same | the same |
//! | git | again, twenty times | again, six times | give up |
//! | platform, network | again, for days | again, six times | give up |
//! | credentials, disk, program | a pause, for days | a pause, six times | give up |
//!
//! Every repetition waits twice as long as the one before, up to five minutes; a pause up to fifteen: what it waits for
//! is the operator. Where the ticket turns out not to be ours, it is lost, whatever the class.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an effect failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose trouble it is.
    pub class: Class,
    /// Whether it will pass.
    pub outlook: Outlook,
    /// What went wrong, for a person.
    pub reason: String,
    /// How long we were asked to wait.
    pub retry_after: Option<Duration>,
}

/// Whose trouble a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The worker's: it ended badly, changed nothing, or left what must not be published.
    Worker,
    /// The repository's, or git's itself.
    Git,
    /// The platform's or the forge's.
    Platform,
    /// Somebody on the way there.
    Network,
    /// A key or token is refused.
    Credentials,
    /// A file or directory of this machine cannot be read or written.
    Disk,
    /// A program of this machine cannot be started: the worker's, git, the shim.
    Program,
    /// Nobody's: the operator stopped it.
    Operator,
}

/// Whether a failure will pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It will.
    Passing,
    /// It may: what we say is not (yet) believed, or what we look for not yet there.
    Doubted,
    /// It will not.
    Lasting,
    /// It shows that the ticket is not ours.
    NotOurs,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The worker gets another attempt, if it has one left.
    Attempt,
    /// The same once more, after this time.
    Again(Duration),
    /// The ticket cannot be done.
    GiveUp,
    /// The ticket is not ours.
    Lose,
}

/// How often something that is doubted is shown, all in all.
const DOUBTED_TIMES: u32 = 6;
/// How often git is tried when it cannot do on this machine what it should: about an hour.
const GIT_TIMES: u32 = 20;
/// Between two tries, where the trouble passes by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Between two tries, where somebody must mend something.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

impl Failure {
    /// A failure without a wish to wait.
    pub fn new(class: Class, outlook: Outlook, reason: impl Into<String>) -> Self {
        Self { class, outlook, reason: reason.into(), retry_after: None }
    }

    /// One that passes.
    pub fn passing(class: Class, reason: impl Into<String>) -> Self {
        Self::new(class, Outlook::Passing, reason)
    }

    /// One that may pass.
    pub fn doubted(class: Class, reason: impl Into<String>) -> Self {
        Self::new(class, Outlook::Doubted, reason)
    }

    /// One that stays.
    pub fn lasting(class: Class, reason: impl Into<String>) -> Self {
        Self::new(class, Outlook::Lasting, reason)
    }

    /// The ticket is not ours.
    pub fn not_ours(reason: impl Into<String>) -> Self {
        Self::new(Class::Platform, Outlook::NotOurs, reason)
    }

    /// What follows, when it is the so-manieth in a row (from 1).
    pub fn remedy(&self, times: u32) -> Remedy {
        use Class::{Credentials, Disk, Git, Network, Operator, Platform, Program, Worker};
        let most = match (self.class, self.outlook) {
            (_, Outlook::NotOurs) => return Remedy::Lose,
            (Worker, _) => return Remedy::Attempt,
            (Operator, _) | (_, Outlook::Lasting) => return Remedy::GiveUp,
            (_, Outlook::Doubted) => DOUBTED_TIMES,
            (Git, Outlook::Passing) => GIT_TIMES,
            (Platform | Network | Credentials | Disk | Program, Outlook::Passing) => u32::MAX,
        };
        if times >= most {
            return Remedy::GiveUp;
        }
        Remedy::Again(self.class.pause(times).max(self.retry_after.unwrap_or_default()))
    }

    /// Why a ticket is given up, for those who read it: what passes on this machine and does not is no business of theirs
    /// in all its details. The decisions before have them.
    pub fn parting_words(self, times: u32) -> String {
        match (self.outlook, self.class) {
            (Outlook::Passing, Class::Git) => format!("git failed on my side, {times} times in a row"),
            _ => self.reason,
        }
    }

    /// Whether this machine or its keys are in trouble, so that other tickets will fare no better.
    pub fn is_the_daemons_own(&self) -> bool {
        use Class::{Credentials, Disk, Git, Program};
        self.outlook == Outlook::Passing && matches!(self.class, Credentials | Disk | Git | Program)
    }
}

impl Class {
    /// 1 s, 2 s, 4 s, up to the longest.
    pub fn pause(self, times: u32) -> Duration {
        let longest = match self {
            Class::Credentials | Class::Disk | Class::Program => LONGEST_PAUSE,
            Class::Worker | Class::Git | Class::Platform | Class::Network | Class::Operator => LONGEST_WAIT,
        };
        Duration::from_secs(1 << times.saturating_sub(1).min(16)).min(longest)
    }

    /// For tables and logs.
    pub fn name(self) -> &'static str {
        match self {
            Class::Worker => "worker",
            Class::Operator => "operator",
            Class::Git => "git",
            Class::Platform => "platform",
            Class::Network => "network",
            Class::Credentials => "credentials",
            Class::Disk => "disk",
            Class::Program => "program",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The remedies for the first, the sixth, the twentieth and the thousandth time.
    fn remedies(class: Class, outlook: Outlook) -> String {
        let failure = Failure::new(class, outlook, "why");
        let word = |times| match failure.remedy(times) {
            Remedy::Attempt => "attempt".to_owned(),
            Remedy::Again(after) => after.as_secs().to_string(),
            Remedy::GiveUp => "up".to_owned(),
            Remedy::Lose => "lose".to_owned(),
        };
        [1, 5, 6, 19, 20, 1000].map(word).join(" ")
    }

    #[test]
    fn every_class_has_a_remedy_for_every_outlook() {
        let attempt = "attempt attempt attempt attempt attempt attempt";
        let up = "up up up up up up";
        let (waits, pauses) = ("1 16 32 300 300 300", "1 16 32 900 900 900");
        let (doubted, git) = ("1 16 up up up up", "1 16 32 300 up up");
        let table = [
            (Class::Worker, attempt, attempt, attempt),
            (Class::Git, git, doubted, up),
            (Class::Platform, waits, doubted, up),
            (Class::Network, waits, doubted, up),
            (Class::Credentials, pauses, doubted, up),
            (Class::Disk, pauses, doubted, up),
            (Class::Program, pauses, doubted, up),
        ];
        for (class, passing, in_doubt, lasting) in table {
            assert_eq!(remedies(class, Outlook::Passing), passing, "{class:?}");
            assert_eq!(remedies(class, Outlook::Doubted), in_doubt, "{class:?}");
            assert_eq!(remedies(class, Outlook::Lasting), lasting, "{class:?}");
            assert_eq!(remedies(class, Outlook::NotOurs), "lose lose lose lose lose lose", "{class:?}");
        }
    }

    #[test]
    fn a_ticket_does_not_hear_of_this_machine_s_directories() {
        let local = Failure::passing(Class::Git, "`git fetch /var/lib/openpod/x.git` failed");
        assert_eq!(local.parting_words(20), "git failed on my side, 20 times in a row");
        let refused = Failure::lasting(Class::Git, "the repository refused the branch: protected");
        assert_eq!(refused.parting_words(1), "the repository refused the branch: protected");
    }

    #[test]
    fn whoever_asks_us_to_wait_is_heard_where_it_is_longer() {
        let mut failure = Failure::passing(Class::Platform, "429");
        failure.retry_after = Some(Duration::from_secs(60));
        assert_eq!(failure.remedy(1), Remedy::Again(Duration::from_secs(60)));
        assert_eq!(failure.remedy(9), Remedy::Again(Duration::from_secs(256)));
    }
}
