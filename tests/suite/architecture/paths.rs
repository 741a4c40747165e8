//! The paths (`a::b::c`) that a Rust source names, with `use a::{b, c}` spelled out. Comments, strings and whatever stands
//! under `#[cfg(test)]` name nothing.

use proc_macro2::{Delimiter, Group, Ident, LexError, TokenStream, TokenTree};

/// A path and the line on which it begins.
#[derive(Clone)]
pub(super) struct Path {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
    pub(super) kind: Kind,
}

/// What a path is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is named on the spot.
    Named,
    /// `use`: its last word stands for it in this file.
    Imported,
    /// `pub use`: others reach it by way of this file.
    Exported,
}

impl Path {
    /// The word, if it is a lone one that is named on the spot.
    pub(super) fn word(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [word] if self.kind == Kind::Named => Some(word),
            _ => None,
        }
    }
}

/// All paths of a source in their order. A lone word is one only in `use word;`.
pub(super) fn paths(source: &str) -> Result<Vec<Path>, LexError> {
    let mut found = paths_and_words(source)?;
    found.retain(|path| path.kind != Kind::Named || path.segments.len() > 1);
    Ok(found)
}

/// The same with lone words, but for those that name a field, a method, a function or a module.
pub(super) fn paths_and_words(source: &str) -> Result<Vec<Path>, LexError> {
    let mut found = Vec::new();
    walk(source.parse()?, 0, &mut found);
    Ok(found)
}

/// Walks over tokens that stand in so many inline modules.
fn walk(tokens: TokenStream, modules: usize, found: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_only(&tokens[at..]) {
            at = after_item(&tokens, at + 2);
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(first) => {
                let kind = kind_of(&tokens[..at]);
                let is_other = at.checked_sub(1).is_some_and(|before| names_something_else(&tokens[before]));
                let before = found.len();
                at = path(&tokens, at, &begun(first, kind), found);
                let fresh = found.split_off(before).into_iter().filter(|p| !is_other || p.segments.len() > 1);
                found.extend(fresh.map(|path| out_of_inline_modules(path, modules)));
            }
            // `pub(in a::b)` says who may name an item, not what the item names.
            TokenTree::Group(group) if at > 0 && is_word(&tokens[at - 1], "pub") && is_restriction(group) => at += 1,
            TokenTree::Group(group) => {
                let is_module = group.delimiter() == Delimiter::Brace && at > 1 && is_word(&tokens[at - 2], "mod");
                walk(group.stream(), modules + usize::from(is_module), found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Reads the path that goes on at `at` after a prefix; returns where it ends.
fn path(tokens: &[TokenTree], mut at: usize, prefix: &Path, found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.segments.clone();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => segments.push(word.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => segments.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let prefix = Path { segments, ..prefix.clone() };
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|t| is_mark(t, ',')).filter(|branch| !branch.is_empty()) {
                    path(branch, 0, &prefix, found);
                }
                return at + 1;
            }
            // `::<T>` and the like: what came before is the path.
            _ => break,
        }
        at += 1;
        if !(tokens.len() > at + 1 && is_mark(&tokens[at], ':') && is_mark(&tokens[at + 1], ':')) {
            break;
        }
        at += 2;
    }
    found.push(Path { segments, ..prefix.clone() });
    at
}

fn begun(first: &Ident, kind: Kind) -> Path {
    Path { line: first.span().start().line, segments: Vec::new(), kind }
}

/// Whether it is the `(in a::b)` of a visibility.
fn is_restriction(group: &Group) -> bool {
    group.delimiter() == Delimiter::Parenthesis && group.stream().into_iter().next().is_some_and(|t| is_word(&t, "in"))
}

/// Whether the word after this token names a field, a method, a function or a module, and no item.
fn names_something_else(before: &TokenTree) -> bool {
    is_mark(before, '.') || is_word(before, "fn") || is_word(before, "mod")
}

/// What a path is there for, by what stands before it.
fn kind_of(before: &[TokenTree]) -> Kind {
    let parted = |tokens: &[TokenTree]| matches!(tokens, [.., public, TokenTree::Group(_)] if is_word(public, "pub"));
    match before {
        [before @ .., word] if is_word(word, "use") => {
            let public = before.last().is_some_and(|last| is_word(last, "pub")) || parted(before);
            if public { Kind::Exported } else { Kind::Imported }
        }
        _ => Kind::Named,
    }
}

/// In `mod inner { … }` the first `super` is still the file's own module.
fn out_of_inline_modules(mut path: Path, modules: usize) -> Path {
    let inside = path.segments.iter().take(modules).take_while(|s| *s == "super").count();
    path.segments.drain(..inside);
    path
}

/// Whether `#[cfg(test)]` begins here.
fn is_test_only(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(attribute), ..] = tokens else { return false };
    is_mark(hash, '#') && attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Where the item ends whose attributes, or itself, begin here: after its braces or its semicolon.
fn after_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |t: &TokenTree| match t {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_mark(other, ';'),
    };
    tokens[from..].iter().position(ends).map_or(tokens.len(), |length| from + length + 1)
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

mod tests {
    use super::*;

    fn named(source: &str) -> Vec<String> {
        let paths = paths(source).expect("Rust");
        paths.iter().map(|p| format!("{} {}", p.line, p.segments.join("::"))).collect()
    }

    #[test]
    fn spells_out_what_is_named() {
        let cases: [(&str, &[&str]); 10] = [
            ("use a::{b, c::{self, d as e}, *};\nuse f;", &["1 a::b", "1 a::c::self", "1 a::c::d", "1 a::*", "2 f"]),
            (
                "fn f(x: &crate::a::B) -> ::c::D<e::F> {\n g::<h::I>(x) }",
                &["1 crate::a::B", "1 c::D", "1 e::F", "2 h::I"],
            ),
            ("use {a::b, c::d};", &["1 a::b", "1 c::d"]),
            ("// a::b\n/* c::d */ /// e::f\nconst X: &str = \"g::h\"; const C: char = ':';", &[]),
            ("info!(%x, \"{}\", crate::a::b()); #[derive(c::D)] struct S;", &["1 crate::a::b", "1 c::D"]),
            ("#[cfg(test)] #[allow(x)] mod tests { use a::b; } use c::d;", &["1 c::d"]),
            ("#[cfg(test)] use a::b;\n#[cfg(unix)] use c::d;", &["2 c::d"]),
            ("mod a { use super::b::c; mod d { use super::super::super::e; } }", &["1 b::c", "1 super::e"]),
            ("use super::{a, super::b};", &["1 super::a", "1 super::super::b"]),
            ("pub(in crate::a) fn f() -> b::C {} struct S(pub d::E);", &["1 b::C", "1 d::E"]),
        ];
        for (source, expected) in cases {
            assert_eq!(named(source), expected, "{source}");
        }
    }

    #[test]
    fn lone_words_are_told_on_demand() {
        let found = paths_and_words("mod a; pub use a::B; struct S { b: B } fn f(x: S) { x.run().a }").expect("Rust");
        let words: Vec<_> = found.iter().filter(|p| p.segments.len() == 1).map(|p| p.segments[0].as_str()).collect();
        assert!(words.contains(&"B") && words.contains(&"S"), "{words:?}");
        assert!(["a", "f", "run"].iter().all(|word| !words.contains(word)), "{words:?}");
    }

    #[test]
    fn tells_what_is_named_from_what_is_brought_in_and_handed_on() {
        let cases = [
            ("fn f() { a::b() }", Kind::Named),
            ("use a::b;", Kind::Imported),
            ("pub struct S; use a::b;", Kind::Imported),
            ("pub use a::b;", Kind::Exported),
            ("pub(in crate::c) use a::b;", Kind::Exported),
        ];
        for (source, expected) in cases {
            let paths = paths(source).expect("Rust");
            assert_eq!(paths.last().map(|path| path.kind), Some(expected), "{source}");
        }
    }
}
