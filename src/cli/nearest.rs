//! What somebody meant who mistyped a name.

/// Names less alike than this have nothing to do with each other.
const ALIKE: f64 = 0.7;

/// The name that is most like the typed one, if any is.
pub(super) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |name: &'a str| (strsim::jaro_winkler(&typed.to_lowercase(), &name.to_lowercase()), name);
    let best = names.into_iter().map(alike).filter(|(likeness, _)| *likeness >= ALIKE);
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
