//! Which program a client is, from the name it gives in `initialize`.

/// Names in the order in which they are tried: the finer before the coarser, so that Claude Desktop is not Claude Code.
/// The original knew claude, cursor, windsurf, cline, kiro, augment and gemini (`_detect_client_type`).
const KNOWN: [(&str, &str); 20] = [
    ("claude-code", "Claude Code"),
    ("claude code", "Claude Code"),
    ("claude-desktop", "Claude Desktop"),
    ("claude desktop", "Claude Desktop"),
    ("claude-ai", "Claude Desktop"),
    ("claude.ai", "Claude"),
    ("claude", "Claude"),
    ("cursor", "Cursor"),
    ("windsurf", "Windsurf"),
    ("cline", "Cline"),
    ("kiro", "KiRo"),
    ("augment", "Augment"),
    ("gemini", "Gemini"),
    ("codex", "Codex"),
    ("qwen", "Qwen"),
    ("visual studio code", "VS Code"),
    ("vscode", "VS Code"),
    ("vs code", "VS Code"),
    ("inspector", "MCP Inspector"),
    ("archonctl", "archonctl"),
];

/// What a client without a name is called.
pub const UNKNOWN: &str = "Unknown";

/// The client type of a client name: a known program, else the name itself, cut to 50 characters (the original's
/// column width).
pub fn detect(name: &str) -> String {
    let lower = name.to_lowercase();
    match KNOWN.iter().find(|(pattern, _)| lower.contains(pattern)) {
        Some((_, label)) => (*label).to_owned(),
        None if name.trim().is_empty() => UNKNOWN.to_owned(),
        None => name.trim().chars().take(50).collect(),
    }
}

/// Whether [`detect`] gives that client type to programs that it knows, or to clients without a name.
pub fn is_known(client_type: &str) -> bool {
    client_type == UNKNOWN || KNOWN.iter().any(|(_, label)| *label == client_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_programs_and_keeps_other_names() {
        for (name, label) in [
            ("claude-code", "Claude Code"),
            ("Claude Desktop", "Claude Desktop"),
            ("claude-ai", "Claude Desktop"),
            ("Cursor", "Cursor"),
            ("Visual Studio Code", "VS Code"),
            ("codex-mcp-client", "Codex"),
            ("qwen-cli-mcp-client", "Qwen"),
            ("gemini-cli-mcp-client", "Gemini"),
            ("inspector-cli", "MCP Inspector"),
            ("Cline", "Cline"),
            ("MyClient", "MyClient"),
            ("  ", "Unknown"),
        ] {
            assert_eq!(detect(name), label, "{name}");
        }
        assert_eq!(detect(&"é".repeat(80)).chars().count(), 50);
        assert!(["KiRo", "Claude Code", UNKNOWN].into_iter().all(is_known) && !is_known("MyClient"));
    }
}
