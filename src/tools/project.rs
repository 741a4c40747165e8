//! Projects as the tools show them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::catalog::{ErrorKind, ToolError};
use crate::model::timestamp::Timestamp;
use crate::store::projects::{Project, ProjectHead};

/// The number of characters that lists cut descriptions to.
const SHOWN: usize = 1000;
/// The number of features that lists show.
const FEATURES_SHOWN: usize = 3;

/// What both forms have.
#[derive(Debug, Serialize, JsonSchema)]
struct Common {
    #[schemars(with = "String")]
    id: Uuid,
    title: String,
    description: String,
    github_repo: Option<String>,
    pinned: bool,
    archived: bool,
    /// When it was archived.
    archived_at: Option<Timestamp>,
    /// By whom, if they said so.
    archived_by: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A project in a list: a long description is cut, and of many features the first are shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listed {
    #[serde(flatten)]
    common: Common,
    /// The first features.
    #[schemars(with = "Vec<Value>")]
    features: Vec<Box<RawValue>>,
    /// How many there are.
    features_count: usize,
}

/// A project in full.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Full {
    #[serde(flatten)]
    common: Common,
    /// Its documents.
    #[schemars(with = "Value")]
    docs: Box<RawValue>,
    /// Its features.
    #[schemars(with = "Value")]
    features: Box<RawValue>,
    /// Whatever else is kept with it.
    #[schemars(with = "Value")]
    data: Box<RawValue>,
}

impl From<ProjectHead> for Listed {
    fn from(mut project: ProjectHead) -> Self {
        // Columns are JSON by the schema; what somebody made of one by hand should not take the list down.
        let mut features: Vec<Box<RawValue>> = serde_json::from_str(&project.features).unwrap_or_default();
        let features_count = features.len();
        features.truncate(FEATURES_SHOWN);
        if let Some((end, _)) = project.description.char_indices().nth(SHOWN) {
            project.description.truncate(end);
            project.description.push_str("...");
        }
        Self { common: Common::of(project), features, features_count }
    }
}

impl From<Project> for Full {
    fn from(mut project: Project) -> Self {
        let json = |text| RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        let features = std::mem::take(&mut project.head.features);
        Self {
            docs: json(project.docs),
            features: json(features),
            data: json(project.data),
            common: Common::of(project.head),
        }
    }
}

impl Common {
    fn of(project: ProjectHead) -> Self {
        Self {
            id: project.id,
            title: project.title,
            description: project.description,
            github_repo: project.github_repo,
            pinned: project.pinned,
            archived: project.archiving.archived,
            archived_at: project.archiving.archived_at,
            archived_by: project.archiving.archived_by,
            created_at: project.times.created_at,
            updated_at: project.times.updated_at,
        }
    }
}

/// The id in an argument.
pub(super) fn parse_id(text: &str) -> Result<Uuid, ToolError> {
    Uuid::parse_str(text.trim()).map_err(|_| {
        let shown: String = text.chars().take(100).collect();
        ToolError::validation(format!("project_id {shown:?} is not a UUID"))
            .in_short("project_id is not a UUID")
            .suggest("Take the \"id\" of a project that find_projects shows.")
    })
}

/// There is no such project.
pub(super) fn not_found(id: Uuid) -> ToolError {
    ToolError::new(ErrorKind::NotFound, format!("Project {id} not found"))
        .in_short("no such project")
        .suggest("Call find_projects without project_id to see what there is.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::projects::{Archiving, Times};

    fn head(description: String, features: &str) -> ProjectHead {
        let at = Timestamp::from_millis(0);
        ProjectHead {
            id: Uuid::nil(),
            title: "t".into(),
            description,
            github_repo: None,
            pinned: false,
            features: features.into(),
            archiving: Archiving { archived: false, archived_at: None, archived_by: None },
            times: Times { created_at: at, updated_at: at },
        }
    }

    #[test]
    fn lists_are_short() {
        let listed = Listed::from(head("é".repeat(1001), r#"[1, {"a": 2}, 3, 4]"#));
        assert_eq!(listed.common.description, format!("{}...", "é".repeat(1000)));
        let listed = serde_json::to_value(listed).expect("json");
        assert_eq!((&listed["features_count"], &listed["features"]), (&4.into(), &serde_json::json!([1, {"a": 2}, 3])));
        assert_eq!(Listed::from(head("é".repeat(1000), "[]")).common.description, "é".repeat(1000));
    }

    #[test]
    fn columns_that_are_no_json_take_nothing_down() {
        assert_eq!(Listed::from(head(String::new(), "not json")).features_count, 0);
        let project = Project { head: head(String::new(), "{"), docs: "[".into(), data: "[7]".into() };
        let full = serde_json::to_value(Full::from(project)).expect("json");
        assert_eq!((&full["docs"], &full["features"], &full["data"][0]), (&Value::Null, &Value::Null, &7.into()));
    }
}
