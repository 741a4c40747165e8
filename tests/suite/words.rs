//! Every text that a user may see, and every comment, read once by a machine: all texts are written to a file that a person
//! can read in one go, and what has confused readers before is refused.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use proc_macro2::{TokenStream, TokenTree};
use regex::Regex;

/// What no text and no comment says, and what to say instead.
const REFUSED: [(&str, &str); 9] = [
    (r"(?i)\bso many\b", "say how many, or name the number"),
    (r"(?i)\bso (long|many|much|often)\s*([.,;:)]|$)", "say how long or how many, or \"this long\""),
    (r"(^|[.;:(] )(For so|So) (long|many|much|often)\b", "begin with the noun: \"The number of …\", \"How long …\""),
    (r"(?i)\bat (most|least) so\b", "say \"Maximum number of …\""),
    (r"(?i)\bthose of that\b", "name them"),
    (r"(?i)\bhow-manieth\b", "say \"number\""),
    (r"(?i)\bevery so often\b", "say how often"),
    (r"(?i)\bleaves? the house\b", "say what is sent, and when"),
    (r"(?i)\bdoes as if\b", "say what it does"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

/// The string literals of a source with their lines; documentation comments are among them.
fn texts(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => texts(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    // A line that goes on in the next one is one text.
                    let joined = inner.split("\\\n").map(str::trim_start).collect::<String>();
                    found.push((literal.span().start().line, joined));
                }
            }
            _ => {}
        }
    }
}

/// Words for people: more than one, and no SQL.
fn is_prose(text: &str) -> bool {
    let words = text.split_whitespace().filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 1).count();
    let is_sql =
        ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WHERE ", " FROM "].iter().any(|word| text.contains(word));
    words > 2 && !is_sql
}

/// The comments that are no documentation, each line with its number.
fn comments(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(source.lines());
    lines.filter_map(|(number, line)| {
        let text = line.trim_start().strip_prefix("//")?;
        (!text.starts_with(['/', '!'])).then(|| (number, text.trim()))
    })
}

fn faults(place: &str, line: usize, text: &str, rules: &[(Regex, &str)]) -> Vec<String> {
    let broken = rules.iter().filter(|(pattern, _)| pattern.is_match(text));
    broken.map(|(_, instead)| format!("{place}:{line}: {text:?}: {instead}")).collect()
}

fn rules() -> Vec<(Regex, &'static str)> {
    REFUSED.iter().map(|(pattern, instead)| (Regex::new(pattern).expect("a pattern"), *instead)).collect()
}

#[test]
fn every_text_can_be_read_by_a_stranger() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut listed, mut found) = (Vec::new(), String::new(), Vec::new());
    sources(&root.join("src"), &mut files).expect("read src");
    assert!(files.len() > 100, "only {} files", files.len());
    let rules = rules();
    for file in &files {
        let place = file.strip_prefix(root).expect("a file of ours").display().to_string();
        let source = fs::read_to_string(file).expect("read");
        let mut here = Vec::new();
        texts(source.parse().expect("tokens"), &mut here);
        for (line, text) in here.iter().filter(|(_, text)| is_prose(text)) {
            writeln!(listed, "{place}:{line}: {text}").expect("memory");
            found.extend(faults(&place, *line, text, &rules));
        }
        for (line, text) in comments(&source) {
            found.extend(faults(&place, line, text, &rules));
        }
    }
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../words.txt");
    fs::write(&list, listed).expect("written");
    assert!(found.is_empty(), "{} texts; all of them are in target/words.txt\n{}", found.len(), found.join("\n"));
}

#[test]
fn what_confuses_is_found_and_the_rest_is_not() {
    let rules = rules();
    for bad in [
        "For so long a session is valid.",
        "So many are tried at once.",
        "It waits at most so long.",
        "At most so many rows; 0 is all",
        "The header on so many columns.",
        "an id leaves the house",
        "Show it again every so often",
    ] {
        assert!(!faults("x", 1, bad, &rules).is_empty(), "{bad}");
    }
    for good in [
        "How long a session is trusted without asking.",
        "It is kept so long as the client listens.",
        "Waits for as long as it takes.",
        "So that the next start finds it.",
        "It is tried again after a while.",
    ] {
        assert!(faults("x", 1, good, &rules).is_empty(), "{good}");
    }
    assert!(is_prose("the database does not answer") && !is_prose("SELECT a FROM b WHERE c") && !is_prose("x-y"));
}
