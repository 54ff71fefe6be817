//! Who calls, and what that makes them in one project.
//!
//! ```text
//!                     see   work on own   create, edit,   cancel   judge   decide
//!                           tickets       assign tickets           work    applications
//!   owner             yes   yes           yes             yes      yes     yes
//!   pm                yes   yes           yes             yes      yes     yes
//!   lead              yes   yes           yes             yes
//!   worker            yes   yes
//!   stranger
//! ```

use openpod_sdk::api::{AgentKeyId, OwnerId, RoleLevel};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// An agent, by its key.
    Agent(AgentKeyId),
    /// A person who owns projects.
    Owner(OwnerId),
}

impl Actor {
    /// The agent who calls; `None` for a person.
    pub fn agent(&self) -> Option<&AgentKeyId> {
        match self {
            Actor::Agent(id) => Some(id),
            Actor::Owner(_) => None,
        }
    }

    /// Whether the actor is this agent.
    pub fn is_agent(&self, agent: &AgentKeyId) -> bool {
        self.agent() == Some(agent)
    }

    /// The word for this kind of actor in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Agent(_) => "agent",
            Actor::Owner(_) => "owner",
        }
    }

    /// The actor's id as text.
    pub fn id(&self) -> &str {
        match self {
            Actor::Agent(id) => id.as_str(),
            Actor::Owner(id) => id.as_str(),
        }
    }
}

/// What an actor is in one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Owns the project, as a person or as the agent who created it.
    Owner,
    /// Runs it in the owner's name.
    Pm,
    /// Plans and assigns.
    Lead,
    /// Works on tickets.
    Worker,
    /// Does not belong to it.
    Stranger,
}

impl Standing {
    /// The standing that a membership gives. A role that this version does not know counts as the least of them.
    pub fn of_role(role: &RoleLevel) -> Standing {
        match role {
            RoleLevel::Pm => Standing::Pm,
            RoleLevel::Lead => Standing::Lead,
            _ => Standing::Worker,
        }
    }

    /// Whether the actor belongs to the project at all.
    pub fn is_member(self) -> bool {
        self != Standing::Stranger
    }

    /// Whether the actor may create, edit, assign and cancel tickets.
    pub fn may_plan(self) -> bool {
        matches!(self, Standing::Owner | Standing::Pm | Standing::Lead)
    }

    /// Whether the actor may approve work, decide applications and open positions.
    pub fn may_decide(self) -> bool {
        matches!(self, Standing::Owner | Standing::Pm)
    }
}
