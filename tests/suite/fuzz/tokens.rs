//! Token files, against a plain reading of the rules: who comes in with which token, and which line is wrong.

use std::collections::HashMap;
use std::fs;

use archonctl::model::encoding;
use archonctl::server::{Principals, TokenFileError};
use uuid::Uuid;

use super::driver::{Target, hold};
use crate::token_file;

const TARGET: Target = Target {
    folders: &["tests/corpus/tokens"],
    words: &[
        "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
        "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ada",
        "ada@example.org",
        "b0b@example.org",
        "0b9cd0c8-5c9e-4c8b-9f3c-2f5d3e1a7b60",
        "#",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\u{a0}",
        "\u{feff}",
        "\0",
        "A",
        "@",
    ],
    cases: 3000,
};

/// A line that names somebody.
#[derive(Clone, PartialEq)]
struct Line {
    hash: String,
    name: String,
    email: Option<String>,
    id: Option<Uuid>,
}

/// What a line says; `Err` when it is wrong by itself.
fn plainly(line: &str) -> Result<Option<Line>, ()> {
    let words: Vec<&str> = line.split('#').next().unwrap_or("").split_whitespace().collect();
    let [hash, rest @ ..] = words.as_slice() else { return Ok(None) };
    let hash = hash.to_ascii_lowercase();
    let is_hash = hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit()) && hash != token_file::hash("");
    let [name, more @ ..] = rest else { return Err(()) };
    let (mut emails, mut ids) = (Vec::new(), Vec::new());
    for word in more {
        if word.contains('@') {
            emails.push((*word).to_owned());
        } else {
            ids.push(word.parse::<Uuid>().map_err(|_| ())?);
        }
    }
    let is_right = is_hash && name.len() <= 200 && emails.len() <= 1 && ids.len() <= 1;
    is_right.then(|| Some(Line { hash, name: (*name).to_owned(), email: emails.pop(), id: ids.pop() })).ok_or(())
}

/// Who is named, or the number of the first line that is wrong.
fn file(text: &str) -> Result<Vec<Line>, usize> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some(line) = plainly(line).map_err(|()| number)? else { continue };
        let differ = |a: &Line| {
            let other_email = a.email.is_some() && line.email.is_some() && a.email != line.email;
            a.name == line.name && (other_email || (a.id.is_some() && line.id.is_some() && a.id != line.id))
        };
        if lines.iter().any(|before| before.hash == line.hash || differ(before)) {
            return Err(number);
        }
        lines.push(line);
    }
    Ok(lines)
}

fn compare(wanted: Result<Vec<Line>, usize>, found: Result<Principals, TokenFileError>) {
    match (wanted, found) {
        (Err(wanted), Err(TokenFileError::Line { line, reason, .. })) => {
            assert_eq!(wanted, line, "{reason}");
            assert!(!reason.contains("7692c3ad"), "a hash is told: {reason}");
        }
        (Ok(lines), Err(TokenFileError::Empty(_))) => assert!(lines.is_empty()),
        (Ok(lines), Ok(principals)) => {
            assert!(!lines.is_empty() && principals.are_required());
            let by_hash: HashMap<_, _> = lines.iter().map(|line| (line.hash.as_str(), line)).collect();
            for token in ["one", "two", "three", "", "One"] {
                let wanted = by_hash.get(token_file::hash(token).as_str());
                let found = principals.of_token(token);
                assert_eq!(found.map(|it| &*it.name), wanted.map(|line| line.name.as_str()), "{token}");
                assert_eq!(found.and_then(|it| it.id), wanted.and_then(|line| line.id), "{token}");
                assert_eq!(found.and_then(|it| it.email.as_deref()), wanted.and_then(|line| line.email.as_deref()));
            }
        }
        (wanted, found) => panic!("{:?} was wanted, found {:?}", wanted.map(|lines| lines.len()), found.map(|_| ())),
    }
}

#[test]
fn tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens");
    hold(&TARGET, |case| {
        fs::write(&path, case).expect("written");
        let found = Principals::read(&path);
        match encoding::decode(case.to_vec()) {
            Ok(text) => compare(file(&text), found),
            Err(_) => assert!(matches!(found, Err(TokenFileError::Unreadable { .. }))),
        }
    });
}
