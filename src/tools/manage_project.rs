//! `manage_project`: makes, changes, archives and deletes projects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TypedTool;
use super::project::{Full, not_found, parse_id};
use crate::catalog::{Call, ErrorKind, ToolError};
use crate::model::text::nearest;
use crate::model::timestamp::Timestamp;
use crate::protocol::tools::ToolAnnotations;
use crate::store::Store;
use crate::store::projects::{ChangeError, MAX_DESCRIPTION, MAX_TITLE, Project, ProjectTexts};

/// Changes projects.
pub(super) struct ManageProject(pub(super) Store);

/// The actions, as the schema lists them.
const ACTIONS: [&str; 5] = ["create", "update", "delete", "archive", "unarchive"];

#[derive(Deserialize, JsonSchema)]
pub(super) struct Arguments {
    /// What to do.
    // A plain text, so that a wrong word is `invalid_action` and not a wrong type.
    #[schemars(extend("enum" = ACTIONS))]
    action: String,
    /// Which project; needed by all actions but create.
    project_id: Option<String>,
    /// Its title, at most 500 characters; needed by create.
    title: Option<String>,
    /// What it is about, at most 100 KB.
    description: Option<String>,
    /// Where its code lives; in an update, an empty text clears it.
    github_repo: Option<String>,
    /// Who archives it.
    archived_by: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    success: bool,
    /// Which project it was.
    #[schemars(with = "String")]
    project_id: Uuid,
    /// The project as it is now, after create and update.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Box<Full>>,
    /// What was done.
    message: &'static str,
    /// How many tasks were archived with it: none, because this server keeps no tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks_archived: Option<u32>,
    /// How many tasks came back with it: none, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks_unarchived: Option<u32>,
}

impl Answer {
    fn new(project_id: Uuid, message: &'static str) -> Self {
        Self { success: true, project_id, project: None, message, tasks_archived: None, tasks_unarchived: None }
    }

    fn with(project: Project, message: &'static str) -> Self {
        let answer = Self::new(project.head.id, message);
        Self { project: Some(Box::new(project.into())), ..answer }
    }
}

impl TypedTool for ManageProject {
    const NAME: &'static str = "manage_project";
    const TITLE: &'static str = "Manage a project";
    const DESCRIPTION: &'static str = "Create, update, delete, archive or unarchive a project. \
         create needs title; the others need project_id; delete cannot be undone.";
    const ANNOTATIONS: ToolAnnotations = ToolAnnotations {
        read_only_hint: Some(false),
        destructive_hint: Some(true),
        idempotent_hint: Some(false),
        open_world_hint: Some(false),
    };
    type Arguments = Arguments;
    type Output = Answer;

    async fn run(&self, arguments: Arguments, call: Call<'_>) -> Result<Answer, ToolError> {
        let (store, now) = (&self.0, call.received_at);
        match arguments.action.as_str() {
            "create" => create(store, &arguments, now).await,
            "update" => update(store, &arguments, now).await,
            "delete" => delete(store, &arguments).await,
            "archive" => archive(store, &arguments, now).await,
            "unarchive" => unarchive(store, &arguments, now).await,
            unknown => Err(unknown_action(unknown)),
        }
    }
}

async fn create(store: &Store, arguments: &Arguments, now: Timestamp) -> Result<Answer, ToolError> {
    let texts = texts(arguments)?;
    if texts.title.is_none() {
        return Err(required("title", "create"));
    }
    let id = Uuid::new_v4();
    let made = store.create_project(id, texts, now).await;
    let project = made.map_err(|error| change_failed(error, id))?;
    Ok(Answer::with(project, "Project created successfully"))
}

async fn update(store: &Store, arguments: &Arguments, now: Timestamp) -> Result<Answer, ToolError> {
    let id = project_id(arguments)?;
    let texts = texts(arguments)?;
    if texts.title.is_none() && texts.description.is_none() && texts.github_repo.is_none() {
        return Err(ToolError::validation("No fields to update")
            .suggest("Give at least one of title, description and github_repo."));
    }
    let updated = store.update_project(id, texts, now).await;
    let project = updated.map_err(|error| change_failed(error, id))?;
    Ok(Answer::with(project.ok_or_else(|| not_found(id))?, "Project updated successfully"))
}

async fn delete(store: &Store, arguments: &Arguments) -> Result<Answer, ToolError> {
    let id = project_id(arguments)?;
    found(store.delete_project(id).await, id)?;
    Ok(Answer::new(id, "Project deleted successfully"))
}

async fn archive(store: &Store, arguments: &Arguments, now: Timestamp) -> Result<Answer, ToolError> {
    let id = project_id(arguments)?;
    let by = arguments.archived_by.as_deref();
    found(store.archive_project(id, by, now).await, id)?;
    Ok(Answer { tasks_archived: Some(0), ..Answer::new(id, "Project archived successfully") })
}

async fn unarchive(store: &Store, arguments: &Arguments, now: Timestamp) -> Result<Answer, ToolError> {
    let id = project_id(arguments)?;
    found(store.unarchive_project(id, now).await, id)?;
    Ok(Answer { tasks_unarchived: Some(0), ..Answer::new(id, "Project unarchived successfully") })
}

fn found(is_there: Result<bool, ChangeError>, id: Uuid) -> Result<(), ToolError> {
    if is_there.map_err(|error| change_failed(error, id))? { Ok(()) } else { Err(not_found(id)) }
}

/// With the id, by which a caller can look: that of a project which may have been made is known nowhere else.
fn change_failed(error: ChangeError, id: Uuid) -> ToolError {
    let is_in_doubt = matches!(error, ChangeError::InDoubt(_));
    let error = ToolError::from(error);
    if is_in_doubt { error.with_detail("project_id", id.to_string()) } else { error }
}

fn project_id(arguments: &Arguments) -> Result<Uuid, ToolError> {
    match arguments.project_id.as_deref() {
        Some(id) if !id.trim().is_empty() => parse_id(id),
        _ => Err(required("project_id", &arguments.action)),
    }
}

fn required(argument: &'static str, action: &str) -> ToolError {
    ToolError::validation(format!("{argument} required for {action}"))
        .in_short(format!("{argument} required"))
        .with_details(serde_json::json!({ "argument": argument }))
}

fn unknown_action(action: &str) -> ToolError {
    let shown: String = action.chars().take(100).collect();
    let error = ToolError::new(ErrorKind::InvalidAction, format!("Unknown action: {shown}")).in_short("unknown action");
    match nearest(action, ACTIONS.into_iter()).first() {
        Some(near) => error.suggest(format!("Did you mean '{near}'?")),
        None => error.suggest("Use 'create', 'update', 'delete', 'archive' or 'unarchive'."),
    }
}

/// The texts as given, refused where they are too long: to cut them would lose words unasked.
fn texts(arguments: &Arguments) -> Result<ProjectTexts<'_>, ToolError> {
    let title = arguments.title.as_deref().map(str::trim);
    if title == Some("") {
        return Err(ToolError::validation("title is empty"));
    }
    for (name, text) in [("title", title), ("github_repo", arguments.github_repo.as_deref())] {
        let length = text.map_or(0, |text| text.chars().count());
        if length > MAX_TITLE {
            return Err(ToolError::validation(format!("{name} has {length} characters; at most {MAX_TITLE} are kept"))
                .in_short(format!("{name} is too long")));
        }
    }
    let length = arguments.description.as_deref().map_or(0, str::len);
    if length > MAX_DESCRIPTION {
        return Err(ToolError::validation(format!(
            "description has {length} bytes; at most {MAX_DESCRIPTION} are kept"
        ))
        .in_short("description is too long"));
    }
    Ok(ProjectTexts {
        title,
        description: arguments.description.as_deref(),
        github_repo: arguments.github_repo.as_deref().map(str::trim),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tools::fixture::Fixture;

    async fn manage(f: &Fixture, arguments: Value) -> Result<Value, Value> {
        f.call("manage_project", &arguments.to_string()).await
    }

    #[tokio::test]
    async fn a_project_from_create_to_delete() {
        let f = Fixture::new().await;
        let made = manage(&f, json!({"action": "create", "title": " T ", "description": null})).await.expect("made");
        let id = &made["project_id"];
        assert_eq!(made["message"], "Project created successfully");
        assert_eq!((&made["project"]["id"], &made["project"]["title"]), (id, &json!("T")));
        assert_eq!(made["project"]["description"], "");
        let found = f.call("find_projects", r#"{"query": "t"}"#).await.expect("a null description takes nothing down");
        assert_eq!(found["total"], 1);

        let update = json!({"action": "update", "project_id": id, "description": "d"});
        let updated = manage(&f, update.clone()).await.expect("updated");
        assert_eq!((&updated["project"]["title"], &updated["project"]["description"]), (&json!("T"), &json!("d")));
        assert_eq!(manage(&f, json!({"action": "delete", "project_id": id})).await.expect("deleted")["success"], true);
        assert_eq!(manage(&f, update).await.expect_err("gone")["type"], "not_found");
        assert_eq!(
            manage(&f, json!({"action": "delete", "project_id": id})).await.expect_err("gone")["type"],
            "not_found"
        );
    }

    #[tokio::test]
    async fn archived_projects_show_by_id_only() {
        let f = Fixture::new().await;
        let id = manage(&f, json!({"action": "create", "title": "T"})).await.expect("made")["project_id"].clone();
        let archived = manage(&f, json!({"action": "archive", "project_id": id, "archived_by": "ana"})).await;
        assert_eq!(archived.expect("archived")["tasks_archived"], 0);
        assert_eq!(f.call("find_projects", "{}").await.expect("a page")["total"], 0);
        let one = f.call("find_projects", &json!({"project_id": id}).to_string()).await.expect("by id");
        assert_eq!((&one["project"]["archived"], &one["project"]["archived_by"]), (&json!(true), &json!("ana")));
        manage(&f, json!({"action": "unarchive", "project_id": id})).await.expect("back");
        assert_eq!(f.call("find_projects", "{}").await.expect("a page")["total"], 1);
    }

    #[tokio::test]
    async fn failures_say_what_is_missing() {
        let f = Fixture::new().await;
        let nil = "00000000-0000-0000-0000-000000000000";
        for (arguments, kind, message) in [
            (json!({"action": "create"}), "validation_error", "title required for create"),
            (json!({"action": "create", "title": "  "}), "validation_error", "title is empty"),
            (json!({"action": "update", "title": "x"}), "validation_error", "project_id required for update"),
            (json!({"action": "update", "project_id": nil}), "validation_error", "No fields to update"),
            (json!({"action": "delete"}), "validation_error", "project_id required for delete"),
            (json!({"action": "archive", "project_id": "x"}), "validation_error", "project_id \"x\" is not a UUID"),
            (json!({"action": "crate"}), "invalid_action", "Unknown action: crate"),
            (json!({"title": "x"}), "validation_error", "missing argument: action"),
        ] {
            let error = manage(&f, arguments).await.expect_err("refused");
            assert_eq!((error["type"].as_str(), error["message"].as_str()), (Some(kind), Some(message)));
        }
    }

    #[tokio::test]
    async fn too_long_texts_are_refused_not_cut() {
        let f = Fixture::new().await;
        for (name, length) in [("title", 501), ("github_repo", 501), ("description", 100 * 1024 + 1)] {
            let mut arguments = json!({"action": "create", "title": "t"});
            arguments[name] = "x".repeat(length).into();
            let error = manage(&f, arguments).await.expect_err("refused");
            assert!(error["message"].as_str().is_some_and(|m| m.starts_with(name)), "{error}");
        }
        let whole = manage(&f, json!({"action": "create", "title": "t", "description": "x".repeat(100 * 1024)})).await;
        assert_eq!(whole.expect("made")["project"]["description"].as_str().map(str::len), Some(100 * 1024));
    }
}
