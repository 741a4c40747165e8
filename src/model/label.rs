//! Names under which requests are summed. A client can make up any name, and sums are kept for long: those that nothing
//! here goes by share a label.

/// What stands for methods that there are not, and for clients beyond a day's number.
pub const OTHER: &str = "(other)";
/// What stands for tools that are not served.
pub const UNKNOWN_TOOL: &str = "(unknown)";

/// The requests of a client: those of all revisions of MCP, and any of our own; in order.
const METHODS: &[&str] = &[
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tools/call",
    "tools/list",
];

/// Whether there is a request of that name.
pub fn is_method(name: &str) -> bool {
    METHODS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_are_in_order_to_be_found() {
        assert!(METHODS.is_sorted() && METHODS.iter().all(|method| is_method(method)));
        for made_up in ["", "tools", "tools/calls", "TOOLS/CALL", "x/y", OTHER] {
            assert!(!is_method(made_up), "{made_up}");
        }
    }
}
