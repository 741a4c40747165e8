//! Which server is meant, as a table.

use std::fs;
use std::path::Path;

use super::*;

const LOCAL: &str = r#"{"mcpServers": {"archon": {"type": "http", "url": "http://127.0.0.1:${PORT:-1}/mcp",
    "headers": {"X-A": "${COLOUR:-blue}"}}, "program": {"command": "npx"}}}"#;
const REMOTE: &str = r#"{"servers": {"far": {"url": "https://example.com/mcp"}}}"#;
const TWO: &str = r#"{"mcpServers": {"one": {"type": "http", "url": "http://one/"},
    "two": {"type": "http", "url": "http://two/"}, "old": {"type": "sse", "url": "http://old/"}}}"#;

/// A home with a project in it, which has these files.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(root.path().join("project/.git")).expect("made");
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    root
}

fn find(root: &Path, address: &Address) -> Result<Found, Usage> {
    let variable = |name: &str| (name == "TEAM").then(|| "blue".to_owned());
    address.find_in(&Surroundings { working: &root.join("project"), home: Some(root), variable: &variable })
}

impl Found {
    fn url(&self) -> &str {
        match &self.address {
            ServerAddress::Url(url) => url,
            ServerAddress::Program(_, program) => panic!("{program:?}"),
        }
    }
}

fn server(name: &str) -> Address {
    Address { server: Some(name.to_owned()), ..Address::default() }
}

fn config(root: &Path, file: &str, name: Option<&str>) -> Address {
    Address { config: Some(root.join(file)), server: name.map(str::to_owned), url: None }
}

#[test]
fn the_nearer_the_name_the_stronger() {
    let root = project(&[("project/.mcp.json", LOCAL), (".claude.json", TWO), ("other.json", TWO)]);
    let root = root.path();
    let url = |address: &Address| find(root, address).map(|found| found.url().to_owned()).map_err(|e| e.message);
    let all = Address { url: Some("http://flag/".to_owned()), ..config(root, "other.json", Some("two")) };
    assert_eq!(url(&all).as_deref(), Ok("http://flag/"));
    assert_eq!(find(root, &all).expect("found").notes.len(), 1, "what was named in vain is said");
    assert_eq!(url(&config(root, "other.json", Some("two"))).as_deref(), Ok("http://two/"));
    assert_eq!(url(&config(root, "project/.mcp.json", None)).as_deref(), Ok("http://127.0.0.1:1/mcp"));
    assert_eq!(url(&server("archon")).as_deref(), Ok("http://127.0.0.1:1/mcp"));
    assert_eq!(url(&server("two")).as_deref(), Ok("http://two/"), "of the user's own file");
    assert_eq!(url(&Address::default()).as_deref(), Ok("http://127.0.0.1:1/mcp"));
    let root =
        project(&[(".claude.json", TWO), ("project/.vscode/mcp.json", r#"{"servers": {"p": {"command": "x"}}}"#)]);
    let found = find(root.path(), &Address::default()).expect("the default");
    assert_eq!(found, plain(DEFAULT_URL), "neither a program nor the user's own files decide by themselves");
}

#[test]
fn a_discovered_server_is_told_and_its_headers_come_along() {
    let root = project(&[("project/.mcp.json", LOCAL)]);
    let found = find(root.path(), &Address::default()).expect("found");
    assert_eq!(found.headers, [("X-A".to_owned(), "blue".to_owned())]);
    assert!(found.notes[0].starts_with("the server is archon of ") && found.notes.len() == 1, "{found:?}");
    assert_eq!(find(root.path(), &server("archon")).expect("found"), found, "whoever names it is told as well");
}

#[test]
fn a_project_never_stands_for_the_users_own() {
    let evil = r#"{"mcpServers": {"work": {"type": "http", "url": "http://evil/"}}}"#;
    let own = r#"{"mcpServers": {"work": {"type": "http", "url": "http://own/"}}}"#;
    for file in ["project/.mcp.json", "project/.vscode/mcp.json", "project/.cursor/mcp.json"] {
        let root = project(&[(file, evil), (".cursor/mcp.json", own)]);
        let error = find(root.path(), &server("work")).expect_err("two");
        let said = format!("{error} {}", error.hint.as_deref().unwrap_or_default());
        for path in [file, ".cursor/mcp.json"] {
            assert!(said.contains(&format!("--config {} --server work", root.path().join(path).display())), "{said}");
        }
        let chosen = |file| find(root.path(), &config(root.path(), file, Some("work"))).expect("chosen");
        assert_eq!((chosen(file).url(), chosen(file).owner), ("http://evil/", Owner::Project));
        assert_eq!((chosen(".cursor/mcp.json").url(), chosen(".cursor/mcp.json").owner), ("http://own/", Owner::User));
    }
    let root = project(&[("project/.mcp.json", own), (".cursor/mcp.json", own)]);
    let found = find(root.path(), &server("work")).expect("the same server");
    assert_eq!(found.owner, Owner::User, "{found:?}");
    // In a home that is a repository itself every file is the user's.
    let root = project(&[(".cursor/mcp.json", own), (".git/HEAD", "")]);
    let around = Surroundings { working: root.path(), home: Some(root.path()), variable: &|_| None };
    assert_eq!(server("work").find_in(&around).expect("found").owner, Owner::User);
}

#[test]
fn whose_word_it_is_goes_by_the_place() {
    let root = project(&[("project/.mcp.json", LOCAL), (".claude.json", TWO), ("other.json", TWO)]);
    let owner = |address: &Address| find(root.path(), address).expect("found").owner;
    assert_eq!(owner(&server("archon")), Owner::Project);
    assert_eq!(owner(&Address::default()), Owner::Project, "it lies there");
    assert_eq!(owner(&server("two")), Owner::User, "of the user's own file");
    assert_eq!(owner(&config(root.path(), "other.json", Some("two"))), Owner::User, "a file that came with nothing");
    std::os::unix::fs::symlink(root.path().join("other.json"), root.path().join("project/link.json")).expect("a link");
    assert_eq!(owner(&config(root.path(), "project/link.json", Some("two"))), Owner::Project, "the link came with it");
    assert_eq!(owner(&Address { url: Some("http://flag/".to_owned()), ..Address::default() }), Owner::User);
}

#[test]
fn whom_nobody_named_gets_nothing_of_the_environment() {
    let leak =
        |text: &str| format!(r#"{{"mcpServers": {{"a": {{"type": "http", "url": "http://127.0.0.1:1/"{text}}}}}}}"#);
    let url = r#"{"mcpServers": {"a": {"type": "http", "url": "http://127.0.0.1:1/${TEAM}"}}}"#.to_owned();
    for text in [leak(r#", "headers": {"X-Leak": "${TEAM}"}"#), leak(r#", "headers": {"X": "${TEAM:-x}"}"#), url] {
        let root = project(&[("project/.mcp.json", &text)]);
        let error = find(root.path(), &Address::default()).expect_err("nobody asked");
        assert!(error.message.contains("the server a of") && error.message.contains("TEAM"), "{error}");
        assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("--server a")), "{error}");
        assert!(find(root.path(), &server("a")).is_ok(), "{text}");
    }
}

#[test]
fn a_server_elsewhere_has_to_be_named() {
    let root = project(&[("project/.cursor/mcp.json", REMOTE)]);
    let error = find(root.path(), &Address::default()).expect_err("not by itself");
    assert!(error.hint.is_some_and(|hint| hint.contains("--server far")), "{}", error.message);
    let found = find(root.path(), &server("far")).expect("named");
    assert_eq!(found.url(), "https://example.com/mcp");
    assert!(found.notes[1].contains(r#"no "type": "http""#), "{found:?}");
}

#[test]
fn what_is_not_clear_is_asked() {
    let programs = r#"{"mcpServers": {"p": {"command": "x"}, "q": {"command": "y"}}}"#;
    let root = project(&[("project/.mcp.json", TWO), ("programs.json", programs), ("empty.json", "{}")]);
    let root = root.path();
    for (address, message, hint) in [
        (Address::default(), "names several servers: one, two", "--server NAME"),
        (server("tow"), "no server tow in", "did you mean two?"),
        (server("archon"), "no server archon in", "there is: old, one, two"),
        (server("old"), "is of type sse", "--server or --url"),
        (config(root, "project/.mcp.json", None), "names several servers", "--server NAME"),
        (config(root, "programs.json", None), "names several servers: p, q", "--server NAME"),
        (config(root, "empty.json", None), "names no server", "--url"),
        (config(root, "none.json", None), "cannot read", "--url"),
    ] {
        let error = find(root, &address).expect_err(message);
        assert!(error.message.contains(message), "{error}");
        assert!(error.hint.as_ref().is_some_and(|h| h.contains(hint)), "{error}: {:?}", error.hint);
    }
    let unset = project(&[("project/.mcp.json", &LOCAL.replace("COLOUR:-blue", "NOBODY"))]);
    let error = find(unset.path(), &Address::default()).expect_err("unset");
    assert!(
        error.message.contains("the server archon of") && error.message.contains("${NOBODY} is not set"),
        "{error}"
    );
}

#[test]
fn a_program_is_one_that_was_named() {
    let entry = r#"{"command": "${TEAM}-server", "args": ["--root", "${workspaceFolder}"], "env": {"A": "${B:-c}"}}"#;
    let one = format!(r#"{{"mcpServers": {{"p": {entry}}}}}"#);
    let there = r#"{"mcpServers": {"q": {"command": "q", "cwd": "deep"}}}"#;
    let root = project(&[("project/.mcp.json", &one), (".claude.json", there), ("home.json", there)]);
    let found = |address: &Address| match find(root.path(), address).expect("found").address {
        ServerAddress::Program(name, program) => (name, program),
        ServerAddress::Url(url) => panic!("{url}"),
    };
    let folder = root.path().join("project");
    let program = Program {
        command: "blue-server".to_owned(),
        arguments: vec!["--root".to_owned(), folder.display().to_string()],
        variables: vec![("A".to_owned(), "c".to_owned())],
        folder: Some(folder),
    };
    assert_eq!(found(&server("p")), ("p".to_owned(), program.clone()));
    assert_eq!(found(&config(root.path(), "project/.mcp.json", None)).1, program, "the only one of a named file");
    assert_eq!(found(&server("q")).1.folder, Some(root.path().join("deep")));
    let found = find(root.path(), &Address::default()).expect("the default");
    assert_eq!(found, plain(DEFAULT_URL), "it is not started because it lies there");
}
