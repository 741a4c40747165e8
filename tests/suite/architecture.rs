//! The house stands: no file leans on a floor above its own or on its neighbours', and what belongs to one room is named in
//! no other; and inside a room no files lean on each other in a circle. Reads `src` as it is; what stands under
//! `#[cfg(test)]` may name what it likes.

use std::path::Path;
use std::{fs, io};

mod circles;
mod paths;

/// The rooms from the ground floor up, those that are still to come among them. A new folder in `src` needs its place here.
const FLOORS: [&[&str]; 10] = [
    &["protocol"],
    &["model"],
    &["store", "client"],
    &["session", "accounting"],
    &["catalog", "queries"],
    &["tools", "upstream", "selftest", "diagnosis"],
    &["mcp", "dashboard"],
    &["server", "stdio"],
    &["cli"],
    &["main"],
];

/// What one room, or a room within one, keeps to itself. `main` may hand the arguments to `cli`.
const KEPT: [(&str, &[&str]); 9] = [
    ("sqlx", &["store"]),
    ("rusqlite", &["store::backend", "store::commit"]),
    ("axum", &["server"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("reqwest", &["client"]),
    ("rustls", &["client"]),
    ("ratatui", &["dashboard"]),
    ("std::env", &["cli", "main"]),
];

/// What stands under a kept name but is free: facts of the build, not of the environment.
const FREE: [&str; 1] = ["std::env::consts"];

#[test]
fn every_arrow_runs_down() {
    let faults: Vec<_> = src().iter().flat_map(|(name, source)| faults_of(name, source)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_files_of_a_room_lean_on_each_other_in_a_circle() {
    let files = src();
    let found = circles::circles(files.iter().map(|(name, source)| (name.as_str(), source.as_str())));
    let found: Vec<_> = found.into_values().flatten().collect();
    assert!(found.is_empty(), "\n{}", found.join("\n\n"));
}

/// The sources by their names relative to `src`.
fn src() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files).expect("read src");
    assert!(files.len() > 10, "only {} files in {}", files.len(), root.display());
    let name = |file: &Path| file.strip_prefix(&root).ok().and_then(Path::to_str).map(str::to_owned);
    files.into_iter().map(|(file, source)| (name(&file).expect("a name in UTF-8"), source)).collect()
}

/// All `.rs` files below a folder, but for `tests.rs`: a module of tests in a file of its own.
fn sources(folder: &Path, files: &mut Vec<(std::path::PathBuf, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let source = fs::read_to_string(&path)?;
            files.push((path, source));
        }
    }
    Ok(())
}

/// What is wrong with a file, named relative to `src`.
fn faults_of(file: &str, source: &str) -> Vec<String> {
    if file == "lib.rs" {
        return faults_of_the_tour(source);
    }
    let module = module_of(file);
    let room = module.first().copied().unwrap_or("main");
    let place = if module.is_empty() { room.to_owned() } else { module.join("::") };
    let Some(floor) = floor_of(room) else {
        return vec![format!("{file}: the room `{room}` has no floor; give it one in tests/suite/architecture.rs")];
    };
    let paths = match paths::paths(source) {
        Ok(paths) => paths,
        Err(e) => return vec![format!("{file}: {e}")],
    };
    let mut faults = Vec::new();
    for path in paths {
        let name = path.segments.join("::");
        let mut fault = |why: String| faults.push(format!("{file}:{}: `{name}`: {why}", path.line));
        if let Some(other) = target(&module, &path.segments) {
            match floor_of(&other) {
                None => fault(format!("`{other}` is no room")),
                Some(above) if above > floor => fault(format!("`{other}` is above `{room}`")),
                Some(beside) if beside == floor && other != room => fault(format!("`{other}` is beside `{room}`")),
                Some(_) => {}
            }
        }
        for (kept, rooms) in KEPT {
            let is_theirs = rooms.iter().any(|keeper| is_within(&place, keeper));
            if is_within(&name, kept) && !is_theirs && !FREE.iter().any(|free| is_within(&name, free)) {
                fault(format!("only `{}` names `{kept}`", rooms[0]));
            }
        }
    }
    faults
}

/// `lib.rs` holds documentation and `pub mod` lines alone.
fn faults_of_the_tour(source: &str) -> Vec<String> {
    let is_tour = |line: &&str| {
        let module = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'));
        line.is_empty() || line.starts_with("//") || module.is_some()
    };
    let lines = source.lines().map(str::trim).enumerate();
    let others = lines.filter(|(_, line)| !is_tour(line));
    others.map(|(i, line)| format!("lib.rs:{}: `{line}`: neither documentation nor `pub mod`", i + 1)).collect()
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// `session/open.rs` is `session::open`; `session/mod.rs` is `session`; `main.rs` is the root.
fn module_of(file: &str) -> Vec<&str> {
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    module.pop_if(|last| matches!(*last, "mod" | "main"));
    module
}

/// The room of our own that a path leads to, when it leaves its file's module by `crate`, `archonctl` or `super`.
fn target(module: &[&str], path: &[String]) -> Option<String> {
    let ups = path.iter().take_while(|segment| *segment == "super").count();
    let (module, rest) = match path.first()?.as_str() {
        "crate" | "archonctl" => (&module[..0], &path[1..]),
        "super" => (&module[..module.len().saturating_sub(ups)], &path[ups..]),
        _ => return None,
    };
    let room = module.first().copied().or(rest.first().map(String::as_str));
    Some(room.unwrap_or("crate").to_owned())
}

fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

mod tests {
    use super::*;

    #[test]
    fn finds_what_is_wrong() {
        let cases = [
            (
                "store/rows.rs",
                "use crate::session::Open;",
                "store/rows.rs:1: `crate::session::Open`: `session` is above `store`",
            ),
            (
                "session/open.rs",
                "\nfn f() { crate::mcp::g() }",
                "session/open.rs:2: `crate::mcp::g`: `mcp` is above `session`",
            ),
            (
                "store/mod.rs",
                "use crate::{model, client::Client};",
                "`crate::client::Client`: `client` is beside `store`",
            ),
            ("tools/a/b.rs", "use super::super::super::mcp::M;", "`mcp` is above `tools`"),
            ("model/a.rs", "use super::super::*;", "`*` is no room"),
            ("model/a.rs", "use crate as all;", "`crate` is no room"),
            ("mcp/mod.rs", "use super::server;", "`server` is above `mcp`"),
            ("attic/mod.rs", "", "the room `attic` has no floor"),
            ("session/a.rs", "#[derive(sqlx::Type)] struct S;", "only `store` names `sqlx`"),
            ("mcp/a.rs", "use {serde::Serialize, axum::Router};", "only `server` names `axum`"),
            ("tools/a.rs", "fn f(c: ::reqwest::Client) {}", "only `client` names `reqwest`"),
            ("store/sessions/a.rs", "use rusqlite::Connection;", "only `store::backend` names `rusqlite`"),
            ("store/a.rs", "use std::{fs, env};", "only `cli` names `std::env`"),
            ("store/a.rs", "fn f() { std::env::var(\"X\"); }", "only `cli` names `std::env`"),
            ("lib.rs", "//! A tour.\npub use cli::run;", "lib.rs:2: `pub use cli::run;`: neither"),
            ("model/a.rs", "fn f( {", "model/a.rs: "),
        ];
        for (file, source, expected) in cases {
            let faults = faults_of(file, source);
            assert!(faults.len() == 1 && faults[0].contains(expected), "{file} {source}\n{faults:?}");
        }
    }

    #[test]
    fn leaves_the_rest_alone() {
        let cases = [
            ("session/open.rs", "use crate::store::Store; use crate::{model::clock, protocol};"),
            ("session/open.rs", "use super::{end::End, super::store}; use crate::session::reap; use self::a::b;"),
            ("session/mod.rs", "mod inner { use super::end::End; }"),
            ("store/sqlite.rs", "use sqlx::Row; /// [`crate::session`]\nstruct S; const T: &str = \"crate::cli\";"),
            ("model/a.rs", "#[cfg(test)] mod tests { use super::*; use crate::store::Store; use std::env; }"),
            (
                "model/a.rs",
                "fn f() -> (&'static str, &'static str) { (env!(\"CARGO_PKG_VERSION\"), std::env::consts::OS) }",
            ),
            ("model/a.rs", "fn f(hyper: u8, env: u8) {} mod sqlx_types { }"),
            ("cli/mod.rs", "use std::env; use crate::server;"),
            ("main.rs", "fn main() { archonctl::cli::run(std::env::args_os()) }"),
            ("lib.rs", "//! A tour.\n\n/// A room.\npub mod cli;"),
        ];
        for (file, source) in cases {
            assert_eq!(faults_of(file, source), Vec::<String>::new(), "{file} {source}");
        }
    }
}
