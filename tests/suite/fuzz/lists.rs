//! Lists in headers, read plainly: what the server must make of them.

/// What may stand around a member.
const BLANKS: [char; 2] = [' ', '\t'];

pub(super) type Headers = Vec<(String, Vec<u8>)>;

pub(super) fn all<'a>(headers: &'a Headers, names: &[&str]) -> Vec<&'a [u8]> {
    // In the order of the names, as a reader that asks for one after the other meets them.
    let of =
        |name: &&str| headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_slice()).collect::<Vec<_>>();
    names.iter().flat_map(of).collect()
}

/// The members of a list: what stands between commas that are in no quotes, without blanks around it.
pub(super) fn members(headers: &Headers, names: &[&str]) -> Vec<String> {
    let mut members = Vec::new();
    for line in all(headers, names) {
        let (mut member, mut quoted, mut escaped) = (String::new(), false, false);
        for c in line.iter().map(|byte| char::from(*byte)).chain([',']) {
            if c == ',' && !quoted {
                members.push(std::mem::take(&mut member));
                continue;
            }
            member.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ => {}
            }
        }
        // A quote that is never closed takes the rest of its line along, and the comma that we added.
        members.push(member.strip_suffix(',').unwrap_or(&member).to_owned());
    }
    members.iter().map(|member| member.trim_matches(BLANKS).to_owned()).filter(|member| !member.is_empty()).collect()
}

pub(super) fn essence(member: &str) -> String {
    member.split(';').next().unwrap_or_default().trim_matches(BLANKS).to_ascii_lowercase()
}

/// What `Accept` says of a kind: whether it is taken, and by what it is named.
fn accepts(headers: &Headers, kind: &str) -> Option<(usize, bool)> {
    let (class, _) = kind.split_once('/').expect("a kind");
    let ranges = ["*/*".to_owned(), format!("{class}/*"), kind.to_owned()];
    let said = members(headers, &["accept"]).into_iter().filter_map(|range| {
        let name: String =
            essence(&range).split('/').map(|half| half.trim_matches(BLANKS)).collect::<Vec<_>>().join("/");
        let fit = ranges.iter().position(|known| *known == name)?;
        let is_zero = |(name, value): (&str, &str)| {
            let (name, value) = (name.trim_matches(BLANKS), value.trim_matches(BLANKS));
            name.eq_ignore_ascii_case("q") && value.starts_with('0') && value.chars().all(|c| c == '0' || c == '.')
        };
        let refused = parameters(&range).iter().any(|part| part.split_once('=').is_some_and(is_zero));
        Some((fit, !refused))
    });
    said.max()
}

/// What stands behind semicolons that are in no quotes.
fn parameters(member: &str) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in member.chars() {
        match c {
            ';' if !quoted => parts.push(String::new()),
            _ => parts.last_mut().expect("one").push(c),
        }
        let is_quote = c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        quoted ^= is_quote;
    }
    parts.split_off(1)
}

/// The form of a good answer; none where none is taken.
pub(super) fn form(headers: &Headers) -> Option<&'static str> {
    let (json, stream) = (accepts(headers, "application/json"), accepts(headers, "text/event-stream"));
    match (json, stream) {
        (Some((_, true)), _) => Some("application/json"),
        (_, Some((_, true))) => Some("text/event-stream"),
        (None, _) => Some("application/json"),
        (Some(_), _) => None,
    }
}
