//! The tools of a server, by name, with their `tools/list` written once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::find_projects::FindProjects;
use super::health_check::HealthCheck;
use super::heartbeat::Heartbeat;
use super::manage_project::ManageProject;
use super::session_info::SessionInfo;
use super::{Tool, Typed};
use crate::model::text::nearest;
use crate::protocol::revision::Revision;
use crate::protocol::tools::{ListToolsResult, ToolDescription};

/// Tools by name, in the order in which they joined.
pub struct ToolSet {
    tools: HashMap<Arc<str>, Arc<dyn Tool>>,
    descriptions: Vec<ToolDescription>,
    lists: Lists,
}

/// The whole result of `tools/list`, for both kinds of revision.
struct Lists {
    full: Box<RawValue>,
    /// Without what came with 2025-06-18.
    old: Box<RawValue>,
}

impl ToolSet {
    /// No tools.
    pub fn empty() -> Self {
        Self { tools: HashMap::new(), descriptions: Vec::new(), lists: Lists::of(&[]) }
    }

    /// The tools that every server has.
    pub fn builtin() -> Self {
        Self::empty()
            .with(Typed::new(HealthCheck))
            .with(Typed::new(SessionInfo))
            .with(Typed::new(Heartbeat))
            .with(Typed::new(FindProjects))
            .with(Typed::new(ManageProject))
    }

    /// The same with one more; it takes the place of a tool of the same name.
    #[must_use]
    pub fn with(mut self, tool: impl Tool + 'static) -> Self {
        let description = tool.description();
        self.tools.insert(Arc::from(&*description.name), Arc::new(tool));
        match self.descriptions.iter_mut().find(|d| d.name == description.name) {
            Some(former) => *former = description,
            None => self.descriptions.push(description),
        }
        self.lists = Lists::of(&self.descriptions);
        self
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&dyn Tool> {
        self.named(name).map(|(_, tool)| tool)
    }

    /// The tool of that name, with the name as all rows and labels share it.
    pub fn named(&self, name: &str) -> Option<(&Arc<str>, &dyn Tool)> {
        self.tools.get_key_value(name).map(|(name, tool)| (name, &**tool))
    }

    /// What each tool says of itself, in a stable order.
    pub fn descriptions(&self) -> &[ToolDescription] {
        &self.descriptions
    }

    /// The whole result of `tools/list` for a client of that revision.
    pub fn list(&self, revision: Revision) -> &RawValue {
        if revision.has_structured_output() { &self.lists.full } else { &self.lists.old }
    }

    /// Names that somebody who wrote this one may have meant, the likeliest first.
    pub fn nearest(&self, name: &str) -> Vec<&str> {
        nearest(name, self.descriptions.iter().map(|d| d.name.as_ref()))
    }
}

impl Lists {
    fn of(tools: &[ToolDescription]) -> Self {
        let old = tools.iter().cloned().map(|tool| ToolDescription { title: None, output_schema: None, ..tool });
        Self { full: written(tools.to_vec()), old: written(old.collect()) }
    }
}

fn written(tools: Vec<ToolDescription>) -> Box<RawValue> {
    // Texts and JSON values: writing them to memory cannot fail.
    to_raw_value(&ListToolsResult { tools, next_cursor: None }).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.descriptions.iter().map(|d| &d.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::tools::testing;

    fn listed(tools: &ToolSet, revision: Revision) -> Vec<Value> {
        let list: Value = serde_json::from_str(tools.list(revision).get()).expect("json");
        list["tools"].as_array().cloned().expect("a list")
    }

    #[test]
    fn lists_the_tools_in_a_stable_order() {
        let names: Vec<_> = listed(&ToolSet::builtin(), Revision::LATEST).iter().map(|t| t["name"].clone()).collect();
        assert_eq!(names, ["health_check", "session_info", "heartbeat", "find_projects", "manage_project"]);
    }

    #[test]
    fn old_revisions_see_no_structured_output() {
        let tools = ToolSet::builtin();
        for (revision, structured) in [(Revision::V2025_03_26, false), (Revision::V2025_06_18, true)] {
            for tool in listed(&tools, revision) {
                assert_eq!(tool.get("outputSchema").is_some(), structured, "{tool}");
                assert_eq!(tool.get("title").is_some(), structured, "{tool}");
                assert_eq!(tool["inputSchema"]["type"], "object");
                assert!(tool["annotations"]["readOnlyHint"].is_boolean());
            }
        }
    }

    #[test]
    fn schemas_carry_no_clutter() {
        let list = ToolSet::builtin().list(Revision::LATEST).get().to_owned();
        for clutter in ["$schema", "$ref", "$defs", "int64", "double"] {
            assert!(!list.contains(clutter), "{clutter}");
        }
    }

    #[test]
    fn knows_what_was_meant() {
        let tools = ToolSet::builtin();
        assert_eq!(tools.nearest("list_projects"), ["find_projects"]);
        assert_eq!(tools.nearest("healthcheck"), ["health_check"]);
        assert!(tools.nearest("rm -rf").is_empty());
        assert!(tools.get("healthcheck").is_none() && tools.get("health_check").is_some());
    }

    #[test]
    fn a_tool_of_the_same_name_takes_the_place() {
        let tools = testing::add_to(testing::add_to(ToolSet::builtin()));
        assert_eq!(tools.descriptions().len(), 5 + 5);
    }
}
