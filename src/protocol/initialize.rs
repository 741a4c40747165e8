//! The handshake of the legacy era (basic/lifecycle).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `params` of `initialize`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeParams {
    /// The revision that the client would like.
    pub protocol_version: String,
    /// What the client can do, as sent.
    #[serde(default)]
    pub capabilities: Option<Box<RawValue>>,
    /// Who the client is, as sent.
    #[serde(default)]
    pub client_info: Option<Box<RawValue>>,
}

/// `result` of `initialize`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult {
    /// The revision that both will speak.
    pub protocol_version: String,
    /// What the server can do.
    pub capabilities: serde_json::Value,
    /// Who the server is.
    pub server_info: Implementation,
    /// How to use the server, for a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// The name and version of a client or server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Implementation {
    /// The program's name.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}
