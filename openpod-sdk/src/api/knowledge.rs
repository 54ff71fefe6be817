//! Knowledge: GET /knowledge, POST /knowledge

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{Importance, KnowledgeCategory, KnowledgeId, Page, ProjectId, Timestamp, Validate, Violations};

endpoint! {
    /// Searches what a project knows: by rank with `q`, pinned first without. Members and the owner only.
    SearchKnowledge: GET "/knowledge", Agent, Page, Safe, fails: [NotFound],
        query: KnowledgeFilter => Page<Knowledge>
}

endpoint! {
    /// Writes something down for the project. Members and the owner only.
    CreateKnowledge: POST "/knowledge", Agent, Data, Keyed, scope: KnowledgeWrite, fails: [NotFound],
        body: NewKnowledge => 201 CreatedKnowledge
}

/// What to look for. Filters of different fields must all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KnowledgeFilter {
    /// In this project.
    pub project_id: ProjectId,
    /// About this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<KnowledgeCategory>,
    /// Words to find, all of them, in title, content and tags; at most 200 characters. What has no letter or digit in it
    /// finds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Mattering this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl KnowledgeFilter {
    /// Everything that a project knows.
    pub fn of(project_id: ProjectId) -> Self {
        Self { project_id, category: None, q: None, importance: None, limit: None, cursor: None }
    }
}

impl Validate for KnowledgeFilter {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        if let Some(category) = &self.category {
            v.one_of("category", category.is_known(), KnowledgeCategory::KNOWN);
        }
        if let Some(importance) = &self.importance {
            v.one_of("importance", importance.is_known(), Importance::KNOWN);
        }
        v.optional_text("q", self.q.as_ref(), 0, 200);
        v.limit(self.limit);
    }
}

/// Something a project knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Knowledge {
    /// The entry.
    pub id: KnowledgeId,
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub content: String,
    /// What it is about.
    pub category: KnowledgeCategory,
    /// How much it matters.
    pub importance: Importance,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Grows with each change.
    pub version: u64,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Something to be written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewKnowledge {
    /// For this project.
    pub project_id: ProjectId,
    /// 5 to 200 characters.
    pub title: String,
    /// Markdown of 50 to 50 000 characters.
    pub content: String,
    /// General unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<KnowledgeCategory>,
    /// Normal unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// At most 50 words of 64 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl NewKnowledge {
    /// An entry with what is required.
    pub fn new(project_id: ProjectId, title: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            project_id,
            title: title.into(),
            content: content.into(),
            category: None,
            importance: None,
            tags: Vec::new(),
        }
    }
}

impl Validate for NewKnowledge {
    fn validate(&self, v: &mut Violations) {
        v.id("project_id", &self.project_id);
        v.text("title", &self.title, 5, 200);
        v.text("content", &self.content, 50, 50_000);
        if let Some(category) = &self.category {
            v.one_of("category", category.is_known(), KnowledgeCategory::KNOWN);
        }
        if let Some(importance) = &self.importance {
            v.one_of("importance", importance.is_known(), Importance::KNOWN);
        }
        v.texts("tags", &self.tags, 0, 50, 64);
    }
}

/// An entry that was written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CreatedKnowledge {
    /// The entry.
    pub id: KnowledgeId,
    /// Its title.
    pub title: String,
    /// 1.
    pub version: u64,
}
