//! Which scenarios: those that come with the program, or files; by name, pattern and tag.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::super::exit::{DONE, USAGE, Usage};
use super::super::output::{self, printable};
use crate::selftest::report::baseline::Baseline;
use crate::selftest::run::Chosen;
use crate::selftest::script::{self, ScriptError};
use crate::selftest::{builtin, script::nearest};

#[derive(Debug, Args)]
#[command(next_help_heading = "Scenarios")]
pub(super) struct Choice {
    /// Scenario files, folders of them, or names of scenarios that come with the program [default: all of those]
    #[arg(value_name = "FILE|NAME")]
    what: Vec<String>,
    /// Only those with this tag; repeatable
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Print the scenarios instead of running them
    #[arg(long, group = "look")]
    list: bool,
    /// Only check the files: is each a valid scenario?
    #[arg(long, group = "look", requires = "what")]
    check: bool,
    /// Print the JSON schema of scenario files, for editors
    #[arg(long, group = "look", conflicts_with = "what")]
    schema: bool,
}

impl Choice {
    /// What is done without running anything, if that is asked for.
    pub(super) fn only_look(&self, json: bool) -> anyhow::Result<Option<ExitCode>> {
        if self.schema {
            let schema = format!("{:#}\n", script::schema());
            print(&schema)?;
        } else if self.check {
            return self.check_files(json).map(Some);
        } else if self.list {
            print(&listed(&self.chosen()?, json))?;
        } else {
            return Ok(None);
        }
        Ok(Some(ExitCode::from(DONE)))
    }

    /// All files are checked, whatever is wrong with one of them.
    fn check_files(&self, json: bool) -> anyhow::Result<ExitCode> {
        let mut good = true;
        for file in &self.what {
            for path in files_of(file)? {
                let shown = path.display().to_string();
                match parse(&path) {
                    Ok(one) if json => print_json(&json!({"file": shown, "id": one.id, "valid": true}))?,
                    Ok(one) => print(&printable(&format!("{shown}: {}\n", one.scenario.name)))?,
                    Err(error) => {
                        good = false;
                        let wrong = error.downcast_ref::<ScriptError>();
                        let hint = wrong.and_then(|wrong| wrong.hint.as_deref());
                        if json {
                            let (line, column) = wrong.map_or((None, None), |w| (Some(w.line), Some(w.column)));
                            let message = wrong.map_or_else(|| format!("{error:#}"), |wrong| wrong.message.clone());
                            let told = json!({
                                "file": shown, "valid": false, "line": line, "column": column,
                                "message": message, "hint": hint,
                            });
                            print_json(&told)?;
                        } else {
                            let hint = hint.map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
                            print(&printable(&format!("{error:#}\n{hint}")))?;
                        }
                    }
                }
            }
        }
        Ok(ExitCode::from(if good { DONE } else { USAGE }))
    }

    /// The scenarios that are asked for, in the order of the arguments.
    pub(super) fn chosen(&self) -> anyhow::Result<Vec<Chosen>> {
        let builtin = builtin::all().map_err(usage)?;
        let mut chosen: Vec<Chosen> = Vec::new();
        if self.what.is_empty() {
            chosen.clone_from(&builtin);
        }
        for what in &self.what {
            if is_file(what) {
                for path in files_of(what)? {
                    chosen.push(parse(&path).map_err(|error| match error.downcast::<ScriptError>() {
                        Ok(wrong) => usage(wrong).into(),
                        Err(other) => other,
                    })?);
                }
                continue;
            }
            let before = chosen.len();
            chosen.extend(builtin.iter().filter(|one| is_match(what, &one.id)).cloned());
            if chosen.len() == before {
                let hint = nearest(what, builtin.iter().map(|one| one.id.as_str()));
                let hint =
                    hint.unwrap_or_else(|| "archonctl selftest --list shows them; a file ends in .toml".to_owned());
                return Err(Usage::new(format!("there is no scenario {what:?}"), hint).into());
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        chosen.retain(|one| seen.insert(one.id.clone()));
        self.by_tag(chosen)
    }

    fn by_tag(&self, mut chosen: Vec<Chosen>) -> anyhow::Result<Vec<Chosen>> {
        for tag in &self.tag {
            let tags = chosen.iter().flat_map(|one| &one.scenario.tags).map(String::as_str);
            if !tags.clone().any(|given| given == tag) {
                let known: std::collections::BTreeSet<_> = tags.clone().collect();
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                let hint = nearest(tag, tags).unwrap_or_else(|| format!("there are: {known}"));
                return Err(Usage::new(format!("no scenario has the tag {tag:?}"), hint).into());
            }
        }
        if !self.tag.is_empty() {
            chosen.retain(|one| one.scenario.tags.iter().any(|tag| self.tag.contains(tag)));
        }
        Ok(chosen)
    }

    /// The file of expected failures. It may name what was not chosen this time.
    pub(super) fn baseline(file: Option<&Path>, chosen: &[Chosen]) -> anyhow::Result<Baseline> {
        let Some(file) = file else { return Ok(Baseline::default()) };
        let hint = "it has the id of one scenario a line";
        let text = std::fs::read(file)
            .and_then(crate::model::encoding::decode)
            .map_err(|e| Usage::new(format!("cannot read {}: {e}", file.display()), hint))?;
        let builtin = builtin::SCENARIOS.map(|(id, _)| id);
        let all_are_ours = chosen.iter().all(|one| builtin.contains(&one.id.as_str()));
        // Which files there are besides those that were chosen, nobody knows.
        let known: &[&str] = if all_are_ours { &builtin } else { &[] };
        let read = Baseline::parse(&file.display().to_string(), &text, known);
        read.map_err(|error| {
            let hint = error.hint.clone().unwrap_or_else(|| hint.to_owned());
            Usage::new(error.to_string(), hint).into()
        })
    }

    /// The files among the arguments, to name them again.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.what.iter().filter(|what| is_file(what)).map(PathBuf::from).collect()
    }
}

fn usage(error: ScriptError) -> Usage {
    let message = error.to_string();
    Usage { message, hint: error.hint }
}

/// A file of scenarios, or a folder of them; anything else is a name.
fn is_file(what: &str) -> bool {
    Path::new(what).extension().is_some_and(|end| end == "toml") || what.contains('/') || Path::new(what).is_dir()
}

fn files_of(what: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = PathBuf::from(what);
    if !path.is_dir() {
        return Ok(vec![path]);
    }
    let unreadable = |e: io::Error| Usage::new(format!("cannot read the folder {what}: {e}"), "name its files");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Usage::new(format!("there is no scenario in {what}"), "a file ends in .toml").into());
    }
    Ok(files)
}

fn parse(path: &Path) -> anyhow::Result<Chosen> {
    let shown = path.display().to_string();
    let text = std::fs::read(path)
        .and_then(crate::model::encoding::decode)
        .map_err(|e| Usage::new(format!("cannot read {shown}: {e}"), "a scenario is a TOML file"))?;
    let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Chosen { id, scenario: Arc::new(script::parse(&shown, &text)?) })
}

/// `*` is any text, `?` any character; without either a part of the name is enough.
fn is_match(pattern: &str, id: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return id.contains(pattern);
    }
    // The places in the pattern at which one can be after that part of the id.
    let pattern: Vec<char> = pattern.chars().collect();
    let skip = |mut at: usize, places: &mut Vec<bool>| {
        places[at] = true;
        while pattern.get(at) == Some(&'*') {
            at += 1;
            places[at] = true;
        }
    };
    let mut places = vec![false; pattern.len() + 1];
    skip(0, &mut places);
    for c in id.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for at in (0..pattern.len()).filter(|at| places[*at]) {
            match pattern[at] {
                '*' => skip(at, &mut next),
                '?' => skip(at + 1, &mut next),
                same if same == c => skip(at + 1, &mut next),
                _ => {}
            }
        }
        places = next;
    }
    places[pattern.len()]
}

fn listed(chosen: &[Chosen], json: bool) -> String {
    let one = |one: &Chosen| {
        let Chosen { id, scenario } = one;
        if json {
            let told = json!({
                "id": id, "name": scenario.name, "description": scenario.description, "tags": scenario.tags,
            });
            return format!("{}\n", output::json(&told.to_string()));
        }
        printable(&format!("{id:40} {} [{}]\n", scenario.name, scenario.tags.join(", ")))
    };
    chosen.iter().map(one).collect()
}

fn print_json(told: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{}\n", output::json(&told.to_string())))
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_matched() {
        for (pattern, id, expected) in [
            ("recovery", "recovery-after-sigkill", true),
            ("sigkill", "recovery-after-sigkill", true),
            ("kills", "recovery-after-sigkill", false),
            ("*-sigkill", "recovery-after-sigkill", true),
            ("recovery-*", "recovery-after-sigkill", true),
            ("*after*", "recovery-after-sigkill", true),
            ("after*", "recovery-after-sigkill", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**", "", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
        ] {
            assert_eq!(is_match(pattern, id), expected, "{pattern} {id}");
        }
        assert!(!is_match(&("*a".repeat(500) + "b"), &"a".repeat(1000)), "in time");
    }
}
