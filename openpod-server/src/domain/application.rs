//! Applying to a position, and deciding an application.
//!
//! ```text
//!   applies                       position open     position filled or closed
//!   applied before, in force      already_applied   already_applied
//!   belongs to the project        conflict          conflict
//!   anybody else, rejected too    pending           position_closed
//!
//!   decides                       accept                          reject
//!   pending                       accepted; the agent a member,   rejected
//!                                 a full position filled
//!   pending, position not open    position_closed                 rejected
//!   pending, agent a member now   conflict                        rejected
//!   accepted, rejected            conflict                        conflict
//! ```

use openpod_sdk::api::{ApplicationStatus, Decision, PositionStatus};

use super::permission::Standing;

/// Why an application or a decision was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One is in force.
    #[error("you applied to this position before, and that application is {0}")]
    AlreadyApplied(ApplicationStatus),
    /// The caller owns the project or works on it. An agent has one membership in a project.
    #[error("you belong to this project already, and an agent holds one position in a project")]
    AlreadyMember,
    /// The applicant became a member by another position.
    #[error("this agent belongs to the project by another position by now; reject this application")]
    ApplicantIsMember,
    /// The position takes nobody.
    #[error("this position is {0} and takes nobody")]
    PositionClosed(PositionStatus),
    /// It was decided.
    #[error("this application was decided before: it is {0}")]
    Decided(ApplicationStatus),
    /// The decision is none that this version knows.
    #[error("the decision must be accept or reject")]
    Malformed,
}

/// A position as far as it matters to those who apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    /// Whether it may be applied to.
    pub status: PositionStatus,
    /// How many agents it takes.
    pub max: u32,
    /// How many it has.
    pub taken: u32,
}

/// What a decision changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The agent becomes a member; the position is left in this state.
    Accepted(PositionStatus),
    /// Nothing but the application changes.
    Rejected,
}

impl Verdict {
    /// The application's state afterwards.
    pub fn status(&self) -> ApplicationStatus {
        match self {
            Verdict::Accepted(_) => ApplicationStatus::Accepted,
            Verdict::Rejected => ApplicationStatus::Rejected,
        }
    }
}

/// Whether somebody may apply. `in_force` is their pending or accepted application to the same position.
pub fn may_apply(
    in_force: Option<ApplicationStatus>,
    applicant: Standing,
    position: &PositionStatus,
) -> Result<(), Refusal> {
    match (in_force, applicant, position) {
        (Some(status), _, _) => Err(Refusal::AlreadyApplied(status)),
        (None, Standing::Stranger, PositionStatus::Open) => Ok(()),
        (None, Standing::Stranger, status) => Err(Refusal::PositionClosed(status.clone())),
        (None, _, _) => Err(Refusal::AlreadyMember),
    }
}

/// Decides an application.
pub fn decide(
    application: &ApplicationStatus,
    decision: &Decision,
    applicant: Standing,
    seats: &Seats,
) -> Result<Verdict, Refusal> {
    if *application != ApplicationStatus::Pending {
        return Err(Refusal::Decided(application.clone()));
    }
    match decision {
        Decision::Reject => Ok(Verdict::Rejected),
        Decision::Accept if applicant.is_member() => Err(Refusal::ApplicantIsMember),
        Decision::Accept if seats.status != PositionStatus::Open => {
            Err(Refusal::PositionClosed(seats.status.clone()))
        }
        Decision::Accept if seats.taken >= seats.max => Err(Refusal::PositionClosed(PositionStatus::Filled)),
        Decision::Accept if seats.taken + 1 == seats.max => Ok(Verdict::Accepted(PositionStatus::Filled)),
        Decision::Accept => Ok(Verdict::Accepted(PositionStatus::Open)),
        _ => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ApplicationStatus::{Accepted, Pending, Rejected};
    use PositionStatus::{Closed, Filled, Open};
    use Standing::{Lead, Owner, Pm, Stranger, Worker};

    #[test]
    fn every_applicant_meets_every_position() {
        for position in [Open, Filled, Closed] {
            for standing in [Owner, Pm, Lead, Worker, Stranger] {
                for status in [Pending, Accepted] {
                    let expected = Err(Refusal::AlreadyApplied(status.clone()));
                    assert_eq!(may_apply(Some(status), standing, &position), expected);
                }
                let expected = match (standing, &position) {
                    (Stranger, Open) => Ok(()),
                    (Stranger, other) => Err(Refusal::PositionClosed(other.clone())),
                    _ => Err(Refusal::AlreadyMember),
                };
                assert_eq!(may_apply(None, standing, &position), expected, "{standing:?} {position}");
            }
        }
    }

    #[test]
    fn every_application_meets_every_decision() {
        let seats = |status, taken| Seats { status, max: 2, taken };
        for (application, decision, applicant, seats, expected) in [
            (Pending, Decision::Accept, Stranger, seats(Open, 0), Ok(Verdict::Accepted(Open))),
            (Pending, Decision::Accept, Stranger, seats(Open, 1), Ok(Verdict::Accepted(Filled))),
            (Pending, Decision::Accept, Stranger, seats(Open, 2), Err(Refusal::PositionClosed(Filled))),
            (Pending, Decision::Accept, Stranger, seats(Filled, 2), Err(Refusal::PositionClosed(Filled))),
            (Pending, Decision::Accept, Stranger, seats(Closed, 0), Err(Refusal::PositionClosed(Closed))),
            (Pending, Decision::Accept, Worker, seats(Open, 0), Err(Refusal::ApplicantIsMember)),
            (Pending, Decision::Accept, Owner, seats(Filled, 2), Err(Refusal::ApplicantIsMember)),
            (Pending, Decision::Reject, Stranger, seats(Open, 0), Ok(Verdict::Rejected)),
            (Pending, Decision::Reject, Worker, seats(Filled, 2), Ok(Verdict::Rejected)),
            (Accepted, Decision::Accept, Worker, seats(Open, 1), Err(Refusal::Decided(Accepted))),
            (Accepted, Decision::Reject, Worker, seats(Open, 1), Err(Refusal::Decided(Accepted))),
            (Rejected, Decision::Accept, Stranger, seats(Open, 0), Err(Refusal::Decided(Rejected))),
            (Rejected, Decision::Reject, Stranger, seats(Open, 0), Err(Refusal::Decided(Rejected))),
            (Pending, Decision::from("defer"), Stranger, seats(Open, 0), Err(Refusal::Malformed)),
        ] {
            assert_eq!(
                decide(&application, &decision, applicant, &seats),
                expected,
                "{application} {decision}"
            );
        }
    }
}
