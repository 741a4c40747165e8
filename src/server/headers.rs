//! Header fields as RFC 9110 reads them: several lines of one field and one line with commas are the same list (5.3);
//! blanks around a member, and empty members, mean nothing (5.6.1).

use http::HeaderMap;

/// The members of a field over all its lines, in their order.
pub(super) fn members<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().flat_map(|line| split(line.as_bytes(), b','))
}

/// The parts of a list or of a member's parameters. A separator within quotes is none.
pub(super) fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |byte| {
        let is_quote = *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        quoted ^= is_quote;
        *byte == separator && !quoted
    });
    parts.map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
}

/// A member without its parameters.
pub(super) fn essence(member: &[u8]) -> &[u8] {
    member.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// A field that has one value, which may be said more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single<'a> {
    Absent,
    Value(&'a [u8]),
    /// It is said twice, and not the same.
    Differs,
}

/// The one value of a field, under any of its names.
pub(super) fn single<'a>(headers: &'a HeaderMap, names: &[&'static str]) -> Single<'a> {
    let mut values = names.iter().flat_map(|name| members(headers, name));
    match values.next() {
        None => Single::Absent,
        Some(first) if values.all(|other| other == first) => Single::Value(first),
        Some(_) => Single::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (http::header::VIA, line.parse().expect("a header"))).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    }

    #[test]
    fn lines_and_commas_are_one_list() {
        for lines in [&["a, b"][..], &["a", "b"], &[" a ,\tb ,", ""], &[",,a", " , b"]] {
            let headers = of(lines);
            assert_eq!(members(&headers, "via").collect::<Vec<_>>(), [b"a", b"b"], "{lines:?}");
        }
        let quoted = of(&[r#"a;x="1,\"2,", b"#, r#""open, c"#]);
        let expected: [&[u8]; 3] = [br#"a;x="1,\"2,""#, b"b", br#""open, c"#];
        assert_eq!(members(&quoted, "via").collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_value_may_be_said_twice() {
        for lines in [&["a"][..], &["a", "a"], &["a,a"], &["", "a"]] {
            assert_eq!(single(&of(lines), &["via"]), Single::Value(b"a"), "{lines:?}");
        }
        for lines in [&["a", "b"][..], &["a, A"]] {
            assert_eq!(single(&of(lines), &["via"]), Single::Differs, "{lines:?}");
        }
        for lines in [&[][..], &[""], &[" , "]] {
            assert_eq!(single(&of(lines), &["x-other", "via"]), Single::Absent, "{lines:?}");
        }
    }
}
