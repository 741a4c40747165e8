//! Prompts: texts with blanks that a user picks and fills in (server/prompts).

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Call, Completing, Completion, Content, Entry, ToolError};

/// Something that a user can pick.
pub trait Prompt: Send + Sync {
    /// Its entry in `prompts/list`. Asked for once, when it joins a catalogue.
    fn entry(&self) -> Entry;

    /// The messages, with the blanks filled in from [`Call::arguments`].
    fn get<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<PromptOutput, ToolError>>;

    /// Values for one of its arguments, from what its user has typed. None unless a prompt says so.
    fn complete<'a>(&'a self, _: Completing<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(async { Completion::default() })
    }
}

/// The result of `prompts/get`.
#[derive(Debug, Clone, Serialize)]
pub struct PromptOutput {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the conversation begins with.
    pub messages: Vec<PromptMessage>,
}

/// A message of a prompt.
#[derive(Debug, Clone, Serialize)]
pub struct PromptMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person in front of the client.
    User,
    /// Its model.
    Assistant,
}
