//! Resources: what a client reads by its URI (server/resources).

use futures_util::future::BoxFuture;

use super::{Call, Completing, Completion, Contents, Entry, ToolError};

/// Something that a client can read.
pub trait Resource: Send + Sync {
    /// Its entry in `resources/list`. Asked for once, when it joins a catalogue.
    fn entry(&self) -> Entry;

    /// What it contains now.
    fn read<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Vec<Contents>, ToolError>>;
}

/// A family of resources whose URIs follow a template (RFC 6570).
pub trait ResourceTemplate: Send + Sync {
    /// Its entry in `resources/templates/list`. Asked for once, when it joins a catalogue.
    fn entry(&self) -> Entry;

    /// Whether this URI follows the template.
    fn matches(&self, uri: &str) -> bool;

    /// What the resource of this URI contains now.
    fn read<'a>(&'a self, uri: &'a str, call: Call<'a>) -> BoxFuture<'a, Result<Vec<Contents>, ToolError>>;

    /// Values for a variable of the template, from what its user has typed. None unless a template says so.
    fn complete<'a>(&'a self, _: Completing<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(async { Completion::default() })
    }
}
