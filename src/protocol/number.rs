//! Numbers as JSON writes them. JSON Schema calls `1.0` and `1e3` integers, and there are models and gateways that write
//! every number so.

/// More digits than this are no integer of ours.
const MAX_DIGITS: usize = 38;

/// The value of a JSON number that is whole, however it is written: `1`, `1.0`, `10e-1`. Read from its digits, because a
/// float would round large ones.
pub fn whole(text: &str) -> Option<i128> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before, after].concat();
    if before.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let dropped = digits.len() - significant.len();
    let zeros = exponent.parse::<i64>().ok()?.checked_add(i64::try_from(dropped).ok()?)?;
    let zeros = zeros.checked_sub(i64::try_from(after.len()).ok()?)?;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= MAX_DIGITS)?;
    let value: i128 = significant.parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(zeros).ok()?)?;
    value.checked_mul(scale)?.checked_mul(sign)
}

/// The same JSON with every whole number written as an integer. All else stays byte for byte; the text must be JSON.
pub fn with_integers(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_text = rest.starts_with('"');
        let (token, after) = rest.split_at(if is_text { text_length(rest) } else { number_length(rest) });
        match whole(token) {
            Some(value) if !is_text => out.push_str(&value.to_string()),
            _ => out.push_str(token),
        }
        rest = after;
    }
    out + rest
}

/// The length of the number that stands first.
fn number_length(json: &str) -> usize {
    json.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(json.len())
}

/// The length of the text that stands first, its quotes included.
fn text_length(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_whole_number_in_every_dress() {
        for (text, value) in [
            ("0", 0),
            ("-0.0", 0),
            ("0e99999999999999999999", 0),
            ("1.0", 1),
            ("-7.000", -7),
            ("1e3", 1000),
            ("1.5E+1", 15),
            ("100e-2", 1),
            ("0.1e1", 1),
            ("9007199254740993.0", 9_007_199_254_740_993),
        ] {
            assert_eq!(whole(text), Some(value), "{text}");
        }
        for text in ["1.5", "1e-1", "1e400", "1e99999999999999999999", "", "-", ".5", "1.x", "\"1\"", "true"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn rewrites_numbers_and_nothing_else() {
        let json = r#" {"page":1.0,"2.0":"3.0 \" 4.0\\","a":[1.5, -2e1,5],"n":null,"é":7.0}"#;
        let expected = r#" {"page":1,"2.0":"3.0 \" 4.0\\","a":[1.5, -20,5],"n":null,"é":7}"#;
        assert_eq!(with_integers(json), expected);
        for same in ["", "{}", r#""open"#, "tru3"] {
            assert_eq!(with_integers(same), same);
        }
    }
}
