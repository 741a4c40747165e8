//! A list as it is answered: its pages are written once, when the catalogue is made (server/utilities/pagination).

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::entry::{Entry, Kind};
use crate::protocol::revision::Revision;

/// How many entries one page has at most.
const PAGE: usize = 100;
/// What entries have only since 2025-06-18.
const SINCE_2025_06_18: [&str; 3] = ["title", "outputSchema", "_meta"];

/// A cursor that this list never gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCursor;

/// The pages of one list.
#[derive(Debug)]
pub(super) struct Pages {
    full: Vec<Box<RawValue>>,
    /// For clients of revisions before 2025-06-18.
    old: Vec<Box<RawValue>>,
}

impl Pages {
    pub(super) fn of<'a>(kind: Kind, entries: impl Iterator<Item = &'a Entry>) -> Self {
        let full: Vec<_> = entries.cloned().collect();
        let old: Vec<_> = full.iter().map(|entry| entry.without(&SINCE_2025_06_18)).collect();
        Self { full: written(kind, &full), old: written(kind, &old) }
    }

    /// A page: the first, or the one that a cursor leads to.
    pub(super) fn page(&self, revision: Revision, cursor: Option<&str>) -> Result<&RawValue, UnknownCursor> {
        let pages = if revision.has_structured_output() { &self.full } else { &self.old };
        let number = match cursor {
            None => 0,
            Some(text) => number_of(text).ok_or(UnknownCursor)?,
        };
        pages.get(number).map(|page| &**page).ok_or(UnknownCursor)
    }
}

/// The cursor of a page. To clients it is a text without a meaning.
fn cursor(number: usize) -> String {
    format!("page-{number}")
}

fn number_of(cursor: &str) -> Option<usize> {
    cursor.strip_prefix("page-")?.parse().ok().filter(|number| *number > 0)
}

fn written(kind: Kind, entries: &[Entry]) -> Vec<Box<RawValue>> {
    let pages: Vec<_> = entries.chunks(PAGE).collect();
    // An empty list has one page all the same.
    (0..pages.len().max(1)).map(|number| page(kind, &pages, number)).collect()
}

fn page(kind: Kind, pages: &[&[Entry]], number: usize) -> Box<RawValue> {
    let entries = pages.get(number).copied().unwrap_or_default();
    let next = (number + 1 < pages.len()).then(|| cursor(number + 1));
    let list = List { kind, entries, next };
    // Texts and raw JSON: writing them to memory cannot fail.
    to_raw_value(&list).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

struct List<'a> {
    kind: Kind,
    entries: &'a [Entry],
    next: Option<String>,
}

impl Serialize for List<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        let entries: Vec<_> = self.entries.iter().map(Entry::as_raw).collect();
        map.serialize_entry(self.kind.member(), &entries)?;
        if let Some(next) = &self.next {
            map.serialize_entry("nextCursor", next)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn prompts(count: usize) -> Pages {
        let entry = |n| Entry::named(&format!("p{n}"), &json!({ "name": format!("p{n}"), "title": "T" }));
        let entries: Vec<_> = (0..count).map(entry).collect();
        Pages::of(Kind::Prompt, entries.iter())
    }

    fn read(page: Result<&RawValue, UnknownCursor>) -> Value {
        serde_json::from_str(page.expect("a page").get()).expect("json")
    }

    #[test]
    fn every_entry_is_on_one_page() {
        for (count, wanted) in [(0, vec![0]), (1, vec![1]), (100, vec![100]), (201, vec![100, 100, 1])] {
            let (pages, mut cursor, mut sizes, mut names) = (prompts(count), None::<String>, Vec::new(), Vec::new());
            loop {
                let page = read(pages.page(Revision::LATEST, cursor.as_deref()));
                let entries = page["prompts"].as_array().expect("a list").clone();
                sizes.push(entries.len());
                names.extend(entries.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()));
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => break,
                }
            }
            assert_eq!(sizes, wanted);
            assert_eq!(names, (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_cursor_that_was_never_given_out_is_told() {
        for unknown in ["", "page-0", "page-2", "page--1", "1", "page-01x"] {
            assert_eq!(prompts(150).page(Revision::LATEST, Some(unknown)).map(|_| ()), Err(UnknownCursor), "{unknown}");
        }
    }

    #[test]
    fn old_revisions_see_what_they_know() {
        let page = read(prompts(1).page(Revision::V2025_03_26, None));
        assert_eq!(page, json!({ "prompts": [{ "name": "p0" }] }));
    }
}
