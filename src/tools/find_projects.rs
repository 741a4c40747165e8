//! `find_projects`: one project by id, or a page of those that match.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::project::{Full, Listed, not_found, parse_id};
use super::{READ_ONLY, TypedTool};
use crate::catalog::{Call, ToolError};
use crate::protocol::tools::ToolAnnotations;
use crate::store::Store;
use crate::store::projects::{MAX_TITLE, ProjectQuery};

/// More projects a page than this are not sent, whatever is asked.
const MOST_PER_PAGE: i64 = 100;

/// Finds projects.
pub(super) struct FindProjects(pub(super) Store);

#[derive(Deserialize, JsonSchema)]
pub(super) struct Arguments {
    /// The id of one project, archived or not; then the other arguments do not matter.
    project_id: Option<String>,
    /// A text in title or description, upper and lower case alike.
    query: Option<String>,
    /// Which page, from 1; 1 if absent.
    #[schemars(range(min = 1))]
    page: Option<i64>,
    /// How many projects a page; 10 if absent, at most 100.
    #[schemars(range(min = 1))]
    per_page: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Answer {
    One(Box<One>),
    Page(Listing),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct One {
    success: bool,
    project: Full,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listing {
    success: bool,
    /// The projects of this page, newest first; archived ones are left out.
    projects: Vec<Listed>,
    /// How many are on this page.
    count: usize,
    /// How many there are on all pages.
    total: i64,
    /// Which page this is.
    page: i64,
    /// How many a page holds.
    per_page: i64,
    /// What was searched for.
    query: Option<String>,
}

impl TypedTool for FindProjects {
    const NAME: &'static str = "find_projects";
    const TITLE: &'static str = "Find projects";
    const DESCRIPTION: &'static str =
        "List projects, search them by a text in title or description, or get one in full by its project_id.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Arguments;
    type Output = Answer;

    async fn run(&self, arguments: Arguments, _: Call<'_>) -> Result<Answer, ToolError> {
        let store = &self.0;
        if let Some(id) = arguments.project_id.as_deref().filter(|id| !id.trim().is_empty()) {
            let id = parse_id(id)?;
            let project = store.project(id).await?.ok_or_else(|| not_found(id))?;
            return Ok(Answer::One(Box::new(One { success: true, project: project.into() })));
        }
        let page = from_one("page", arguments.page.unwrap_or(1))?;
        let per_page = from_one("per_page", arguments.per_page.unwrap_or(10))?.min(MOST_PER_PAGE);
        let text = arguments.query.as_deref().unwrap_or_default().trim();
        if text.chars().count() > MAX_TITLE {
            return Err(ToolError::validation(format!("query is longer than {MAX_TITLE} characters"))
                .in_short("query is too long"));
        }
        let skip = (page - 1).saturating_mul(per_page);
        let found = store.projects(ProjectQuery { text, skip, limit: per_page }).await?;
        Ok(Answer::Page(Listing {
            success: true,
            count: found.projects.len(),
            projects: found.projects.into_iter().map(Listed::from).collect(),
            total: found.total,
            page,
            per_page,
            query: arguments.query,
        }))
    }
}

fn from_one(name: &str, value: i64) -> Result<i64, ToolError> {
    if value >= 1 {
        return Ok(value);
    }
    Err(ToolError::validation(format!("{name} must be 1 or more, not {value}"))
        .in_short(format!("{name} must be 1 or more"))
        .suggest("The first page is page 1."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::fixture::Fixture;

    #[tokio::test]
    async fn pages_tell_the_true_total() {
        let f = Fixture::new().await;
        for n in 0..3 {
            f.call("manage_project", &format!(r#"{{"action": "create", "title": "P{n}"}}"#)).await.expect("made");
        }
        let page = f.call("find_projects", r#"{"page": 2, "per_page": 2}"#).await.expect("a page");
        assert_eq!((&page["count"], &page["total"], &page["page"]), (&json!(1), &json!(3), &json!(2)));
        assert_eq!(page["query"], json!(null));
        let page = f.call("find_projects", r#"{"query": "p1", "per_page": 1000}"#).await.expect("a page");
        assert_eq!((&page["total"], &page["per_page"], &page["query"]), (&json!(1), &json!(100), &json!("p1")));
        assert_eq!(page["projects"][0]["title"], "P1");
        assert_eq!(page["projects"][0]["features_count"], 0);
        let far = f.call("find_projects", r#"{"page": 9223372036854775807, "per_page": 100}"#).await.expect("a page");
        assert_eq!((&far["count"], &far["total"]), (&json!(0), &json!(3)));
    }

    #[tokio::test]
    async fn refuses_pages_that_do_not_exist() {
        let f = Fixture::new().await;
        for arguments in [r#"{"page": 0}"#, r#"{"page": -1}"#, r#"{"per_page": 0}"#, r#"{"page": 1.5}"#] {
            let error = f.call("find_projects", arguments).await.expect_err("refused");
            assert_eq!(error["type"], "validation_error", "{arguments}");
        }
        let error = f.call("find_projects", r#"{"pge": 1}"#).await.expect_err("refused");
        assert_eq!(error["suggestion"], r#"Did you mean "page"?"#);
        let long = format!(r#"{{"query": "{}"}}"#, "x".repeat(501));
        assert_eq!(f.call("find_projects", &long).await.expect_err("refused")["type"], "validation_error");
    }

    #[tokio::test]
    async fn an_unknown_id_is_not_found_and_a_bad_one_refused() {
        let f = Fixture::new().await;
        let unknown = r#"{"project_id": "550e8400-e29b-41d4-a716-446655440000"}"#;
        let error = f.call("find_projects", unknown).await.expect_err("not there");
        assert_eq!(error["type"], "not_found");
        assert_eq!(error["message"], "Project 550e8400-e29b-41d4-a716-446655440000 not found");
        let error = f.call("find_projects", r#"{"project_id": "seven\u0000"}"#).await.expect_err("refused");
        assert_eq!(error["type"], "validation_error");
    }
}
