//! Circles among the files of one room: each leans on the next, and the last one on the first. Such files can only be
//! understood together.
//!
//! A file leans on those whose items it names. A name that a parent module hands on (`pub use`) counts as one of the file
//! that has it, and the parent does not lean on what it merely hands on.

use std::collections::{BTreeMap, BTreeSet};

use super::module_of;
use super::paths::{Kind, Path, paths_and_words};

/// A module by its path: `["session", "open"]`.
type Module = Vec<String>;

/// The sources by their modules.
struct Sources {
    files: BTreeMap<Module, (String, Vec<Path>)>,
}

/// A path by which a file leans on another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrow {
    to: Module,
    line: usize,
    name: String,
}

/// The circles of each room that has any: for each the arrows within it, in words. Files are named relative to `src`.
pub(super) fn circles<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, Vec<String>> {
    let sources = Sources::read(files);
    let arrows: BTreeMap<&Module, Vec<Arrow>> =
        sources.files.iter().map(|(module, (_, paths))| (module, sources.arrows(module, paths))).collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        arrows.keys().map(|module| (*module, reached_from(module, &arrows))).collect();
    let mut found = BTreeMap::<String, Vec<String>>::new();
    let mut seen = BTreeSet::new();
    for (module, from_it) in &reached {
        if !from_it.contains(module) || !seen.insert(*module) {
            continue;
        }
        let circle: BTreeSet<_> = from_it.iter().copied().filter(|other| reached[other].contains(module)).collect();
        seen.extend(&circle);
        let words = circle.iter().flat_map(|from| {
            let within = arrows[from].iter().filter(|arrow| circle.contains(&arrow.to));
            within.map(|arrow| sources.told(from, arrow))
        });
        found.entry(module[0].clone()).or_default().push(words.collect::<Vec<_>>().join("\n"));
    }
    found
}

fn reached_from<'a>(start: &Module, arrows: &'a BTreeMap<&'a Module, Vec<Arrow>>) -> BTreeSet<&'a Module> {
    let to = |from: &Module| arrows.get(from).into_iter().flatten().map(|arrow| &arrow.to);
    let (mut reached, mut next) = (BTreeSet::new(), to(start).collect::<Vec<_>>());
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(to(module));
        }
    }
    reached
}

impl Sources {
    /// What cannot be read leans on nothing: that it cannot is said elsewhere.
    fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let file = |(name, source): (&str, &str)| {
            let module = module_of(name).into_iter().map(str::to_owned).collect();
            (module, (name.to_owned(), paths_and_words(source).unwrap_or_default()))
        };
        let mut files: BTreeMap<Module, (String, Vec<Path>)> = files.into_iter().map(file).collect();
        // The roots of both crates: they are in no room.
        files.retain(|module, _| module.first().is_some_and(|room| room != "lib"));
        Self { files }
    }

    /// The files of its own room that a file leans on, each once.
    fn arrows(&self, from: &Module, paths: &[Path]) -> Vec<Arrow> {
        let mut arrows = Vec::<Arrow>::new();
        let words: BTreeSet<&str> = paths.iter().filter_map(Path::word).collect();
        let is_used = |path: &&Path| match path.kind {
            Kind::Named => path.word().is_none(),
            Kind::Imported => true,
            Kind::Exported => path.segments.last().is_some_and(|last| words.contains(last.as_str())),
        };
        for path in paths.iter().filter(is_used) {
            let Some(to) = self.absolute(from, &path.segments).and_then(|path| self.home(&path, 0)) else { continue };
            if to != *from && to[0] == from[0] && arrows.iter().all(|arrow| arrow.to != to) {
                arrows.push(Arrow { to, line: path.line, name: path.segments.join("::") });
            }
        }
        arrows
    }

    /// A path from the root, where it leads to one of our own modules.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let (base, rest) = match path.first()?.as_str() {
            "crate" | "archonctl" => (&module[..0], &path[1..]),
            "self" => (&module[..], &path[1..]),
            "super" => (&module[..module.len().saturating_sub(ups)], &path[ups..]),
            first => return self.inside(module, first).map(|base| [&base[..], &path[1..]].concat()),
        };
        Some([base, rest].concat())
    }

    /// What a lone first word stands for: a module below this one, or a module that was brought in.
    fn inside(&self, module: &Module, word: &str) -> Option<Module> {
        let below = [&module[..], &[word.to_owned()]].concat();
        if self.files.contains_key(&below) {
            return Some(below);
        }
        let (_, paths) = self.files.get(module)?;
        let brought = |path: &&Path| {
            let is_anchored =
                path.segments.len() > 1 && ["crate", "super", "self"].contains(&path.segments[0].as_str());
            path.kind == Kind::Imported && is_anchored && path.segments.last().is_some_and(|last| last == word)
        };
        let path = self.absolute(module, &paths.iter().find(brought)?.segments)?;
        self.files.contains_key(&path).then_some(path)
    }

    /// The module whose file has the item at the end of a path from the root.
    fn home(&self, path: &[String], hops: usize) -> Option<Module> {
        let module = (1..=path.len()).rev().map(|end| &path[..end]).find(|module| self.files.contains_key(*module))?;
        let (_, paths) = self.files.get(module)?;
        let handed_on = path.get(module.len()).and_then(|name| {
            let mut exported = paths.iter().filter(|path| path.kind == Kind::Exported);
            exported.find(|path| path.segments.last() == Some(name))
        });
        let further = handed_on.filter(|_| hops < 8).and_then(|handed_on| {
            let module = module.to_vec();
            let path = [self.absolute(&module, &handed_on.segments)?, path[module.len() + 1..].to_vec()].concat();
            self.home(&path, hops + 1)
        });
        Some(further.unwrap_or_else(|| module.to_vec()))
    }

    fn told(&self, from: &Module, arrow: &Arrow) -> String {
        let file = |module: &Module| self.files.get(module).map_or("?", |(name, _)| name);
        format!("{}:{}: `{}` leads to {}", file(from), arrow.line, arrow.name, file(&arrow.to))
    }
}

mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<String> {
        circles(files.iter().copied()).into_values().flatten().collect()
    }

    #[test]
    fn two_files_that_name_each_other_are_a_circle() {
        let two = [("a/x.rs", "use super::y::Y;"), ("a/y.rs", "fn f() -> crate::a::x::X {}")];
        let expected = "a/x.rs:1: `super::y::Y` leads to a/y.rs\na/y.rs:1: `crate::a::x::X` leads to a/x.rs";
        assert_eq!(of(&two), [expected]);
    }

    #[test]
    fn a_longer_way_round_is_a_circle_too() {
        let three = [
            ("a/mod.rs", "mod x; mod y; mod z;"),
            ("a/x.rs", "use super::{y, b::B}; fn f() { y::g() }"),
            ("a/y.rs", "use super::z::Z;"),
            ("a/z.rs", "use crate::a::x::X;"),
            ("a/w.rs", "use super::x::X;"),
        ];
        let found = of(&three);
        assert!(found.len() == 1 && found[0].lines().count() == 3 && !found[0].contains("w.rs"), "{found:?}");
    }

    #[test]
    fn a_parent_is_in_a_circle_with_what_leans_on_its_own_items() {
        let child = ("a/x.rs", "use super::Thing; pub struct X;");
        assert_eq!(of(&[("a/mod.rs", "mod x; use x::X; pub struct Thing(X);"), child]).len(), 1);
        assert_eq!(of(&[("a/mod.rs", "mod x; pub use x::X; pub struct Thing(X);"), child]).len(), 1);
        assert_eq!(of(&[("a/mod.rs", "mod x; pub use x::X; pub struct Thing;"), child]), Vec::<String>::new());
    }

    #[test]
    fn what_a_parent_hands_on_is_the_childs() {
        let parent = ("a/mod.rs", "mod x; mod y; pub(super) use x::X; pub use y::inner::Deep;");
        let files = [parent, ("a/x.rs", "use super::Deep;"), ("a/y/mod.rs", "pub mod inner;"), ("a/y/inner.rs", "")];
        assert_eq!(of(&files), Vec::<String>::new());
        let back = ("a/y/inner.rs", "use crate::a::X;");
        let found = of(&[files[0], files[1], files[2], back]);
        let expected = "a/x.rs:1: `super::Deep` leads to a/y/inner.rs\na/y/inner.rs:1: `crate::a::X` leads to a/x.rs";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_module_that_was_brought_in_leads_to_its_children() {
        let files = [
            ("a/x.rs", "use super::y; fn f() { y::inner::g() }"),
            ("a/y/mod.rs", "pub mod inner;"),
            ("a/y/inner.rs", "use crate::a::x::X;"),
        ];
        assert_eq!(of(&files).len(), 1);
    }

    #[test]
    fn tests_and_other_rooms_make_no_circle() {
        let files = [
            ("a/x.rs", "use super::y::Y; use crate::b::B;"),
            ("a/y.rs", "#[cfg(test)] mod tests { use crate::a::x::X; } const S: &str = \"crate::a::x\";"),
            ("b/mod.rs", "use crate::a::x::X;"),
        ];
        assert_eq!(of(&files), Vec::<String>::new());
    }
}
