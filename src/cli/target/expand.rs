//! `${VAR}` in a client's configuration file.

use std::path::Path;

use super::super::exit::Usage;

/// What a text may refer to.
pub(super) struct Known<'a> {
    /// The environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// `${workspaceFolder}`: the folder that the file configures.
    pub(super) workspace: &'a Path,
    /// `${userHome}`.
    pub(super) home: Option<&'a Path>,
    /// The server's name, where nobody named it. Such an entry gets nothing of the environment: whoever wrote the file would
    /// choose which secret goes where.
    pub(super) unasked: Option<&'a str>,
}

/// The text with `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${workspaceFolder}` and `${userHome}` filled in. `$VAR` stays.
///
/// # Errors
/// When something is not set: it is named, and nothing is sent without it.
pub(super) fn expand(text: &str, known: &Known<'_>) -> Result<String, Usage> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&value(name, known)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn value(reference: &str, known: &Known<'_>) -> Result<String, Usage> {
    let as_text = |path: &Path| path.display().to_string();
    if reference == "workspaceFolder" {
        return Ok(as_text(known.workspace));
    }
    if reference.starts_with("input:") {
        let hint = "it is asked for by an editor; give the value with -H 'Name: value', and the server with --url";
        return Err(Usage::new(format!("${{{reference}}} has no value here"), hint));
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let variable = name.strip_prefix("env:").unwrap_or(name);
    let set = if name == "userHome" { known.home.map(as_text) } else { (known.variable)(variable) };
    match (set.filter(|value| !value.is_empty()), default, known.unasked) {
        (Some(_), _, Some(server)) => Err(Usage::new(
            format!("it takes ${{{reference}}} from your environment, and nobody named it"),
            format!("--server {server} uses it, and fills that in"),
        )),
        (Some(set), _, None) => Ok(set),
        (None, Some(default), _) => Ok(default.to_owned()),
        (None, None, _) => {
            Err(Usage::new(format!("${{{reference}}} is not set"), format!("set {variable} in the environment")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Usage> {
        expanded_for(text, None)
    }

    fn expanded_for(text: &str, unasked: Option<&str>) -> Result<String, Usage> {
        let variable = |name: &str| match name {
            "PORT" => Some("8051".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(
            text,
            &Known { variable: &variable, workspace: Path::new("/a/b"), home: Some(Path::new("/home/me")), unasked },
        )
    }

    #[test]
    fn fills_in_what_is_set() {
        for (text, expected) in [
            ("plain $PORT {x}", "plain $PORT {x}"),
            ("http://h:${PORT}/${env:PORT}", "http://h:8051/8051"),
            ("${UNSET:-dev}${PORT:-1}${EMPTY:-a:b}${UNSET:-}", "dev8051a:b"),
            ("${workspaceFolder}${userHome}", "/a/b/home/me"),
            ("${PORT", "${PORT"),
        ] {
            assert_eq!(expanded(text).expect("set"), expected, "{text}");
        }
    }

    #[test]
    fn names_what_is_not_set() {
        for text in ["${UNSET}", "a${env:UNSET}b", "${EMPTY}", "${input:token}", "${}"] {
            let error = expanded(text).expect_err(text);
            assert!(error.message.contains("${") && error.hint.is_some(), "{error}");
        }
        assert_eq!(expanded("${env:UNSET}").expect_err("unset").hint.as_deref(), Some("set UNSET in the environment"));
    }

    #[test]
    fn whom_nobody_named_gets_nothing_of_the_environment() {
        for text in ["${PORT}", "a${env:PORT}", "${PORT:-1}", "${userHome}", "${UNSET:-a}${PORT}", "${PORT:-${UNSET}}"]
        {
            let error = expanded_for(text, Some("work")).expect_err(text);
            assert!(
                error.hint.as_ref().is_some_and(|hint| hint.starts_with("--server work")),
                "{error}: {:?}",
                error.hint
            );
        }
        for (text, expected) in [("${UNSET:-a}", "a"), ("${EMPTY:-b}", "b"), ("${workspaceFolder}", "/a/b")] {
            assert_eq!(expanded_for(text, Some("work")).expect("of the file"), expected, "{text}");
        }
    }
}
