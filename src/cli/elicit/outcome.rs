//! What a form came to.

use serde_json::{Map, Value, json};

/// What a form came to.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// It was filled in.
    Accept(Map<String, Value>),
    /// The person does not want to give it.
    Decline,
    /// The person went away from it.
    Cancel,
}

impl Outcome {
    /// The result for the server.
    pub(super) fn result(self) -> Value {
        match self {
            Self::Accept(content) => json!({"action": "accept", "content": content}),
            Self::Decline => json!({"action": "decline"}),
            Self::Cancel => json!({"action": "cancel"}),
        }
    }
}
