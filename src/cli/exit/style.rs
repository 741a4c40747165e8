//! Text or JSON: how errors are told.

use std::ffi::OsString;

/// How errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Style {
    /// `error: …` and `hint: …`.
    Text,
    /// One line: `{"error":{"code","message","hint"}}`.
    Json,
}

impl Style {
    /// JSON if the arguments ask for JSON. They are looked through unparsed, because wrong arguments are errors too.
    pub(in crate::cli) fn asked_for(args: &[OsString]) -> Self {
        let mut flags = args.iter().take_while(|arg| *arg != "--").map(|arg| arg.to_str().unwrap_or_default());
        while let Some(flag) = flags.next() {
            let format = match flag.strip_prefix("--") {
                Some("json") => return Self::Json,
                Some("output") => flags.next(),
                Some(long) => long.strip_prefix("output="),
                None => short_output(flag).and_then(|value| if value.is_empty() { flags.next() } else { Some(value) }),
            };
            if matches!(format, Some("json" | "jsonl")) {
                return Self::Json;
            }
        }
        Self::Text
    }
}

/// What follows `-o` in one argument, which may have other short flags before it: `-ojson`, `-o=json`, `-fo`.
fn short_output(flag: &str) -> Option<&str> {
    let (before, value) = flag.strip_prefix('-')?.split_once('o')?;
    let are_flags = before.chars().all(|c| c.is_ascii_alphabetic());
    are_flags.then(|| value.strip_prefix('=').unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_asked_style_unparsed() {
        let style = |args: &[&str]| Style::asked_for(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(style(&["archonctl", "call", "x", "--json"]), Style::Json);
        assert_eq!(style(&["archonctl", "call", "x", "a=--json"]), Style::Text);
        assert_eq!(style(&["archonctl", "call", "x", "--", "--json"]), Style::Text);
        for format in ["json", "jsonl"] {
            for given in ["-o {}", "-o{}", "-o={}", "--output {}", "--output={}", "-fo {}", "-fo{}"] {
                let given = given.replace("{}", format);
                let args: Vec<_> = ["archonctl", "list"].into_iter().chain(given.split(' ')).collect();
                assert_eq!(style(&args), Style::Json, "{given}");
            }
        }
        for other in ["-o table", "-ocsv", "--output=csv", "--output", "-o", "-w=2s -otable", "--other json", "o json"]
        {
            let args: Vec<_> = ["archonctl", "list"].into_iter().chain(other.split(' ')).collect();
            assert_eq!(style(&args), Style::Text, "{other}");
        }
    }
}
