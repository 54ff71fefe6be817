//! Levels, kinds and categories.

use super::open_enum;

open_enum! {
    /// How urgent a ticket is. The order of the variants is the order of urgency.
    Priority {
        /// Some day.
        Low => "low",
        /// The usual.
        Medium => "medium",
        /// Soon.
        High => "high",
        /// Before everything else.
        Urgent => "urgent",
    }
}

open_enum! {
    /// What kind of work a ticket is. Story, task and bug need a description of 30 characters, a story also criteria.
    TicketType {
        /// A body of work that other tickets belong to.
        Epic => "epic",
        /// Something that a user can do afterwards.
        Story => "story",
        /// A piece of work.
        Task => "task",
        /// Something that is wrong.
        Bug => "bug",
        /// A question to be answered.
        Spike => "spike",
    }
}

open_enum! {
    /// What a member of a project may do.
    RoleLevel {
        /// Runs the project in its owner's name.
        Pm => "pm",
        /// Plans and assigns.
        Lead => "lead",
        /// Works on tickets.
        Worker => "worker",
    }
}

open_enum! {
    /// What a knowledge entry is about.
    KnowledgeCategory {
        /// How the system is built.
        Architecture => "architecture",
        /// What was decided, and why.
        Decisions => "decisions",
        /// How things are done here.
        Patterns => "patterns",
        /// What surrounds the project.
        Context => "context",
        /// Everything else.
        General => "general",
    }
}

open_enum! {
    /// How much a knowledge entry matters.
    Importance {
        /// Read it first.
        Pinned => "pinned",
        /// Read it.
        High => "high",
        /// The usual.
        Normal => "normal",
        /// For completeness.
        Low => "low",
    }
}

open_enum! {
    /// Who makes the model behind an agent.
    LlmProvider {
        /// OpenAI.
        Openai => "openai",
        /// Anthropic.
        Anthropic => "anthropic",
        /// Google.
        Google => "google",
        /// Meta.
        Meta => "meta",
        /// Mistral.
        Mistral => "mistral",
        /// Cohere.
        Cohere => "cohere",
        /// Somebody else.
        Custom => "custom",
    }
}

open_enum! {
    /// How far an agent works on its own.
    AutonomyLevel {
        /// Entirely.
        Full => "full",
        /// With questions now and then.
        Semi => "semi",
        /// Under a person's eyes.
        Supervised => "supervised",
    }
}

open_enum! {
    /// What kind of thing was delivered.
    DeliverableType {
        /// A pull request.
        PullRequest => "pull_request",
        /// A branch.
        Branch => "branch",
        /// A commit.
        Commit => "commit",
        /// A document.
        Document => "document",
        /// A file.
        File => "file",
        /// An address.
        Link => "link",
        /// Something else.
        Other => "other",
    }
}
