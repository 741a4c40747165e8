//! Writing what a server says by itself: notifications, and questions to the client.

use serde::Serialize;

/// The server's list of tools is another now.
pub const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// The server's list of resources, or of their templates, is another now.
pub const RESOURCES_CHANGED: &str = "notifications/resources/list_changed";
/// The server's list of prompts is another now.
pub const PROMPTS_CHANGED: &str = "notifications/prompts/list_changed";

#[derive(Serialize)]
struct Envelope<'a, T: ?Sized> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a T>,
}

/// `{"jsonrpc":"2.0","method":…,"params":…}`; none when the parameters cannot be written.
pub fn notification<T: Serialize + ?Sized>(method: &str, params: Option<&T>) -> Option<Vec<u8>> {
    written(&Envelope { jsonrpc: "2.0", id: None, method, params })
}

/// `{"jsonrpc":"2.0","id":…,"method":…,"params":…}`, likewise.
pub fn request<T: Serialize + ?Sized>(id: &str, method: &str, params: Option<&T>) -> Option<Vec<u8>> {
    written(&Envelope { jsonrpc: "2.0", id: Some(id), method, params })
}

fn written<T: Serialize + ?Sized>(envelope: &Envelope<'_, T>) -> Option<Vec<u8>> {
    serde_json::to_vec(envelope).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_notifications_and_questions() {
        let note = notification::<()>(TOOLS_CHANGED, None).expect("text");
        assert_eq!(note, br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        let question = request("q", "roots/list", Some(&serde_json::json!({}))).expect("text");
        assert_eq!(question, br#"{"jsonrpc":"2.0","id":"q","method":"roots/list","params":{}}"#);
    }
}
