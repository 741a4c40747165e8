//! What somebody meant who mistyped a name.

/// Names less alike than this have nothing to do with each other.
const ALIKE: f64 = 0.65;

/// The name that is most like the typed one, if any is.
pub(super) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        // The first is good at what begins the same, the second at letters that changed places.
        strsim::jaro_winkler(&typed, &name).max(strsim::normalized_damerau_levenshtein(&typed, &name))
    };
    let best = names.into_iter().map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness >= ALIKE);
    best.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        let names = ["find_projects", "health_check", "heartbeat", "two"];
        for (typed, meant) in [
            ("find_project", Some("find_projects")),
            ("Health-Check", Some("health_check")),
            ("hartbeat", Some("heartbeat")),
            ("tow", Some("two")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
