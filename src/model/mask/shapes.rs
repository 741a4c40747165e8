//! Texts that look like secrets: what stands in a frame that tells of one, keys as services hand them out, and words that
//! are too random to be anybody's.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::masked::MASK;

/// What is masked in a frame that stays: the groups `before` and `after` are kept.
const FRAMED: [&str; 9] = [
    // To its end, or to the end of the text where it was cut.
    r"(?s)(?<before>)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*-----|$)(?<after>)",
    // Headers, to the end of their line: they hold several words.
    r#"(?i)(?<before>\b(?:proxy-)?authorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:bearer|basic|digest|token|apikey|negotiate|ntlm)\s+)?)[^\s"'\\\[][^\r\n"'\\]*(?<after>)"#,
    r#"(?i)(?<before>\b(?:set-)?cookie\\*["']?\s*:\s*\\*["']?)[^\s"'\\\[][^\r\n"'\\]*(?<after>)"#,
    // The password of a URL; a password may hold an @.
    r#"(?<before>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?\#"'<>@:]*:)[^\s/?\#"'<>]+(?<after>@)"#,
    // Programs that take it by a short option or in a pair.
    r"(?i)(?<before>\b(?:mysql\w*|mariadb\w*|sshpass|mongo\w*|docker login)\b[^\r\n|;&]*?\s-p[ =]?)[^\s-]\S*(?<after>)",
    r"(?i)(?<before>\bredis-cli\b[^\r\n|;&]*?\s-a\s+)\S+(?<after>)",
    r#"(?i)(?<before>\b(?:curl|wget|http)\b[^\r\n|;]*?\s(?:-u|--user|-a)[ =]?["']?[^\s:"']+:)[^\s"']+(?<after>)"#,
    // SQL, and ~/.netrc.
    r#"(?i)(?<before>\b(?:identified\s+by|password)\s+['"])[^'"]+(?<after>['"])"#,
    r"(?i)(?<before>\blogin\s+\S+\s+password\s+)\S+(?<after>)",
];

/// Keys as services hand them out, by how they begin. (In ASCII: \w of all languages would make it fifty times as large.)
const KEYS: &str = r"(?x-u) (?: \b | bot ) (?<key>
    gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{20,} | gl[a-z]{2,6}-[\w.-]{16,}
  | xox[a-z](?:\.xox[a-z])?-[\w-]{10,} | xapp-\d-[\w-]{10,} | hooks\.slack\.com/services/[\w/]{20,}
  | (?:sk|pk|rk)_(?:live|test)_\w{10,} | whsec_[\w+/=]{16,} | (?:sk|pk|rk)[-_][\w-]{16,}
  | AIza[\w-]{16,} | ya29\.[\w-]{16,} | GOCSPX-[\w-]{16,}
  | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,} | LTAI\w{12,} | AKID\w{12,}
  | eyJ[\w-]{8,}(?:\.[\w-]*)* | SG\.[\w-]{16,}\.[\w-]{16,} | (?:SK|AC|AP)[0-9a-f]{32} | key-[0-9a-f]{32}
  | [0-9a-f]{32}-us\d{1,2} | npm_\w{20,} | pypi-[\w-]{16,} | hf_\w{16,} | dckr_(?:pat|oat)_[\w-]{16,} | do[por]_v1_\w{32,}
  | shp(?:at|ca|pa|ss)_\w{16,} | sq0[a-z]{3}-[\w-]{16,} | EAAA[\w-]{16,} | dapi[0-9a-f]{16,} | lin_(?:api|oauth)_\w{16,}
  | secret_\w{20,} | ntn_\w{20,} | PMAK-[\w-]{20,} | hv[sbr]\.[\w-]{16,} | \w{14}\.atlasv1\.[\w-]{16,}
  | dp\.(?:pt|st|ct|sa)\.[\w.-]{16,} | gl(?:sa|c)_[\w=+/-]{16,} | NR(?:AK|JS|II)-\w{16,} | sntry[su]_[\w=+/-]{16,}
  | sbp_\w{16,} | sb_secret_\w{16,} | figd_[\w-]{16,} | AT(?:ATT|CTT|BB)\w{16,} | AGE-SECRET-KEY-1[A-Z0-9]{16,}
  | gsk_\w{16,} | xai-\w{16,} | r8_\w{16,} | pplx-\w{16,} | CCI(?:PAT|PRJ)_\w{16,} | bk[a-z]{2}_\w{16,} | rubygems_\w{16,}
  | cio[A-Za-z0-9]{32,} | pscale_(?:tkn|pw|oauth)_[\w.-]{16,} | pat[A-Za-z0-9]{14}\.[0-9a-f]{32,} | HRKU-[\w-]{16,}
  | tfp_\w{16,} | ops_eyJ\w{16,} | phc_\w{20,} | phx_\w{20,} | \d{8,10}:[A-Za-z0-9_-]{35}
  | [MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}
)";

/// Credentials that follow the name of their scheme alone.
const SCHEMES: &str = r"(?i)\b(?:bearer|basic)\s+(?<key>[A-Za-z0-9._~+/-]{8,}=*)";

/// A word of letters and digits, long enough to be looked at.
const WORD: &str = r"[A-Za-z0-9+/_-]{32,}={0,2}";

/// What is said before a hash that is no secret: whatever else a hash may be, that of a commit is everywhere in prose.
const HASHED: &str = r"(?i)(?:commit|sha-?(?:1|256|512)?|md5|rev|revision|digest|checksum|hash|tree|parent|merge|blob|head|checkout|reverts?|etag)(?:\s+(?:is\s+)?|[:/=@]\s*)$";

/// Patterns that do not change; one that cannot be read would mask all, and a test reads them.
struct Patterns {
    framed: Vec<Regex>,
    keys: Regex,
    schemes: Regex,
    word: Regex,
    hashed: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let framed = FRAMED.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>().ok()?;
    let [keys, schemes, word, hashed] = [KEYS, SCHEMES, WORD, HASHED].map(|pattern| Regex::new(pattern).ok());
    Some(Patterns { framed, keys: keys?, schemes: schemes?, word: word?, hashed: hashed? })
});

/// Takes out what stands in frames.
pub(super) fn without_framed(text: &str) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return MASK.to_owned() };
    let mut masked = text.to_owned();
    for pattern in &patterns.framed {
        if pattern.is_match(&masked) {
            masked = pattern.replace_all(&masked, format!("${{before}}{MASK}${{after}}")).into_owned();
        }
    }
    masked
}

/// Takes out what looks like a key.
pub(super) fn without_keys(text: &str) -> String {
    let Some(patterns) = PATTERNS.as_ref() else { return MASK.to_owned() };
    let masked = masked(text, &patterns.keys, |_, _| true);
    let masked = self::masked(&masked, &patterns.schemes, |_, key| is_credential(key));
    self::masked(&masked, &patterns.word, |before, word| {
        looks_random(word) || (is_hex(word) && !patterns.hashed.is_match(before))
    })
}

/// Masks the group `key`, or all of what is found, where that is a secret by what stands before it.
fn masked(text: &str, pattern: &Regex, is_secret: impl Fn(&str, &str) -> bool) -> String {
    let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
    for found in pattern.captures_iter(text) {
        let Range { start, end } = key(&found);
        if is_secret(&text[tail(text, start)..start], &text[start..end]) {
            masked.push_str(&text[copied..start]);
            masked.push_str(MASK);
            copied = end;
        }
    }
    masked.push_str(&text[copied..]);
    masked
}

fn key(found: &Captures<'_>) -> Range<usize> {
    found.name("key").or_else(|| found.get(0)).map(|found| found.range()).unwrap_or_default()
}

/// Where the few characters before that place begin.
fn tail(text: &str, end: usize) -> usize {
    text.floor_char_boundary(end.saturating_sub(24))
}

/// "Basic understanding" is none.
fn is_credential(word: &str) -> bool {
    word.len() >= 24
        || word.chars().any(|c| !c.is_ascii_lowercase() && !matches!(c, '-' | '.' | '/')) && !is_title(word)
}

fn is_title(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().skip(1).all(|c| c.is_ascii_lowercase())
}

/// Letters and digits as computers write bytes; a UUID has dashes.
fn is_hex(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    word.chars().all(|c| c.is_ascii_hexdigit()) && digits >= 4 && word.len() - digits >= 4
}

/// A secret key of AWS: 40 characters, a slash among them as likely as not.
const AWS_SECRET: usize = 40;

/// Nothing that people write: letters of both cases and digits that change from one to the other all the time. What stands
/// between dashes and slashes is looked at by itself, because names and paths are made of words.
fn looks_random(word: &str) -> bool {
    let word = word.trim_end_matches('=');
    word.split(['_', '-', '/', '+']).any(|part| part.len() >= 16 && is_mixed(part, 6))
        || (word.len() == AWS_SECRET && !word.contains(['_', '-']) && is_mixed(word, 4))
}

fn is_mixed(part: &str, longest_lower: usize) -> bool {
    let kind = |c: char| (c.is_ascii_lowercase(), c.is_ascii_uppercase(), c.is_ascii_digit());
    let (mut runs, mut lower, mut most) = (0, 0, 0);
    let mut last = None;
    for c in part.chars() {
        runs += usize::from(last != Some(kind(c)));
        last = Some(kind(c));
        lower = if c.is_ascii_lowercase() { lower + 1 } else { 0 };
        most = most.max(lower);
    }
    let count = |kind: fn(&char) -> bool| part.chars().filter(kind).count();
    let has_all = count(char::is_ascii_lowercase) >= 3
        && count(char::is_ascii_uppercase) >= 3
        && count(char::is_ascii_digit) >= 1;
    // 2.6 characters of a kind in a row, on average; random ones have 1.6, words in camel case more than 3.
    has_all && most <= longest_lower && part.len() * 10 <= runs * 26
}
