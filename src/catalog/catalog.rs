//! The catalogue: what is in it by name, and its lists written once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::pages::{Pages, UnknownCursor};
use super::{Entry, Kind, Prompt, Resource, ResourceTemplate, Tool};
use crate::model::text::nearest;
use crate::protocol::message;
use crate::protocol::revision::Revision;

/// Tools, resources, templates and prompts, in the order in which they joined.
pub struct Catalog {
    tools: Shelf<dyn Tool>,
    resources: Shelf<dyn Resource>,
    templates: Shelf<dyn ResourceTemplate>,
    prompts: Shelf<dyn Prompt>,
}

/// What is there of one kind.
struct Shelf<T: ?Sized> {
    kind: Kind,
    items: HashMap<Arc<str>, Arc<T>>,
    entries: Vec<Entry>,
    pages: Pages,
}

impl Catalog {
    /// Nothing.
    pub fn empty() -> Self {
        Self {
            tools: Shelf::new(Kind::Tool),
            resources: Shelf::new(Kind::Resource),
            templates: Shelf::new(Kind::Template),
            prompts: Shelf::new(Kind::Prompt),
        }
    }

    /// The same with one tool more; it takes the place of a tool of the same name.
    #[must_use]
    pub fn with(mut self, tool: impl Tool + 'static) -> Self {
        self.tools.put(tool.entry(), Arc::new(tool));
        self
    }

    /// The same with one resource more, likewise.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Resource + 'static) -> Self {
        self.resources.put(resource.entry(), Arc::new(resource));
        self
    }

    /// The same with one template more, likewise.
    #[must_use]
    pub fn with_template(mut self, template: impl ResourceTemplate + 'static) -> Self {
        self.templates.put(template.entry(), Arc::new(template));
        self
    }

    /// The same with one prompt more, likewise.
    #[must_use]
    pub fn with_prompt(mut self, prompt: impl Prompt + 'static) -> Self {
        self.prompts.put(prompt.entry(), Arc::new(prompt));
        self
    }

    /// The tool of that name, with the name as all rows and labels share it.
    pub fn tool(&self, name: &str) -> Option<(&Arc<str>, &dyn Tool)> {
        self.tools.items.get_key_value(name).map(|(name, tool)| (name, &**tool))
    }

    /// The resource of that URI.
    pub fn resource(&self, uri: &str) -> Option<&dyn Resource> {
        self.resources.items.get(uri).map(|resource| &**resource)
    }

    /// The first template that this URI follows.
    pub fn template_for(&self, uri: &str) -> Option<&dyn ResourceTemplate> {
        let mut templates = self.templates.entries.iter().filter_map(|entry| self.template(entry.key()));
        templates.find(|template| template.matches(uri))
    }

    /// The template as it is written.
    pub fn template(&self, template: &str) -> Option<&dyn ResourceTemplate> {
        self.templates.items.get(template).map(|template| &**template)
    }

    /// The prompt of that name.
    pub fn prompt(&self, name: &str) -> Option<&dyn Prompt> {
        self.prompts.items.get(name).map(|prompt| &**prompt)
    }

    /// What each tool says of itself.
    pub fn tool_entries(&self) -> &[Entry] {
        &self.tools.entries
    }

    /// Whether there is anything of that kind. Templates are resources.
    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Tool => !self.tools.entries.is_empty(),
            Kind::Resource | Kind::Template => {
                !(self.resources.entries.is_empty() && self.templates.entries.is_empty())
            }
            Kind::Prompt => !self.prompts.entries.is_empty(),
        }
    }

    /// One page of a list: the whole result of `tools/list`, `resources/list` and so on, for a client of that revision.
    ///
    /// # Errors
    /// [`UnknownCursor`].
    pub fn list(&self, kind: Kind, revision: Revision, cursor: Option<&str>) -> Result<&RawValue, UnknownCursor> {
        match kind {
            Kind::Tool => &self.tools.pages,
            Kind::Resource => &self.resources.pages,
            Kind::Template => &self.templates.pages,
            Kind::Prompt => &self.prompts.pages,
        }
        .page(revision, cursor)
    }

    /// Names of tools that somebody who wrote this one may have meant, the likeliest first.
    pub fn nearest(&self, name: &str) -> Vec<&str> {
        nearest(name, self.tools.entries.iter().map(|entry| &**entry.key()))
    }

    /// The `capabilities` of a server with this catalogue (basic/lifecycle): what is not in it is not promised.
    pub fn capabilities(&self, revision: Revision) -> Value {
        let listed = || json!({ "listChanged": true });
        let mut capabilities = Map::new();
        capabilities.insert("logging".into(), json!({}));
        // A server without a single tool may have some after a swap.
        capabilities.insert("tools".into(), listed());
        if self.has(Kind::Resource) {
            capabilities.insert("resources".into(), listed());
        }
        if self.has(Kind::Prompt) {
            capabilities.insert("prompts".into(), listed());
        }
        let completes = self.has(Kind::Prompt) || !self.templates.entries.is_empty();
        if completes && revision >= Revision::V2025_03_26 {
            capabilities.insert("completions".into(), json!({}));
        }
        Value::Object(capabilities)
    }

    /// The notifications by which clients learn what is another here than there.
    pub fn changes_from(&self, before: &Self) -> Vec<&'static str> {
        let resources = self.resources.differs(&before.resources) || self.templates.differs(&before.templates);
        let changes = [
            (self.tools.differs(&before.tools), message::TOOLS_CHANGED),
            (resources, message::RESOURCES_CHANGED),
            (self.prompts.differs(&before.prompts), message::PROMPTS_CHANGED),
        ];
        changes.into_iter().filter_map(|(differs, method)| differs.then_some(method)).collect()
    }
}

impl<T: ?Sized> Shelf<T> {
    fn new(kind: Kind) -> Self {
        Self { kind, items: HashMap::new(), entries: Vec::new(), pages: Pages::of(kind, [].iter()) }
    }

    fn put(&mut self, entry: Entry, item: Arc<T>) {
        self.items.insert(entry.key().clone(), item);
        match self.entries.iter_mut().find(|former| former.key() == entry.key()) {
            Some(former) => *former = entry,
            None => self.entries.push(entry),
        }
        self.pages = Pages::of(self.kind, self.entries.iter());
    }

    /// Whether its list reads otherwise.
    fn differs(&self, other: &Self) -> bool {
        let texts =
            |shelf: &Self| shelf.entries.iter().map(|entry| entry.as_raw().get().to_owned()).collect::<Vec<_>>();
        texts(self) != texts(other)
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |entries: &[Entry]| entries.iter().map(|entry| entry.key().clone()).collect::<Vec<_>>();
        f.debug_struct("Catalog")
            .field("tools", &keys(&self.tools.entries))
            .field("resources", &keys(&self.resources.entries))
            .field("templates", &keys(&self.templates.entries))
            .field("prompts", &keys(&self.prompts.entries))
            .finish()
    }
}
