//! A tool as a small struct: two types, one function, and everything else is derived.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::arguments::ArgumentRules;
use super::schema;
use crate::catalog::{Call, Entry, Tool, ToolError, ToolOutput, ToolResult};
use crate::protocol::tools::{ToolAnnotations, ToolDescription};

/// The annotations of a tool that only looks: a client may repeat a call whose answer was lost.
pub const READ_ONLY: ToolAnnotations = ToolAnnotations {
    read_only_hint: Some(true),
    destructive_hint: Some(false),
    idempotent_hint: Some(true),
    open_world_hint: Some(false),
};

/// The arguments of a tool that takes none.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NoArguments {}

/// A tool with typed arguments and output; [`Typed`] makes it a [`Tool`]. The module's documentation has an example.
pub trait TypedTool: Send + Sync {
    /// The name to call it by.
    const NAME: &'static str;
    /// A name for people.
    const TITLE: &'static str;
    /// What it does, for a model.
    const DESCRIPTION: &'static str;
    /// What a client may assume.
    const ANNOTATIONS: ToolAnnotations;
    /// What it takes: a struct with named fields. Doc comments become descriptions.
    type Arguments: DeserializeOwned + JsonSchema + Send;
    /// What it answers: something that serialises to an object.
    type Output: Serialize + JsonSchema + Send;

    /// Does the work.
    fn run(
        &self,
        arguments: Self::Arguments,
        call: Call<'_>,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

/// Makes a [`TypedTool`] a [`Tool`]: generates the schemas, checks the arguments, writes the output.
#[derive(Debug)]
pub struct Typed<T> {
    tool: T,
    entry: Entry,
    rules: ArgumentRules,
}

impl<T: TypedTool> Typed<T> {
    /// Generates the schemas; once, not at each call.
    pub fn new(tool: T) -> Self {
        let input_schema = schema::input::<T::Arguments>();
        let rules = ArgumentRules::of(&input_schema);
        let description = ToolDescription {
            name: T::NAME.into(),
            title: Some(T::TITLE.into()),
            description: T::DESCRIPTION.into(),
            input_schema,
            output_schema: Some(schema::output::<T::Output>()),
            annotations: Some(T::ANNOTATIONS),
            other: Map::new(),
        };
        Self { tool, entry: Entry::named(T::NAME, &description), rules }
    }
}

impl<T: TypedTool> Tool for Typed<T> {
    fn entry(&self) -> Entry {
        self.entry.clone()
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, ToolResult> {
        async move {
            let arguments = self.rules.read(call.arguments)?;
            ToolOutput::of(&self.tool.run(arguments, call).await?)
        }
        .boxed()
    }
}
