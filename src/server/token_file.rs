//! The token file: one line a principal, `sha256-of-token name [email] [uuid]`; `#` starts a comment. A name may have several
//! tokens, so that a new one can be handed out before the old one goes. Whatever could let in another than is meant is an
//! error.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::encoding;
use crate::model::principal::Principal;

/// The longest name, in bytes: it stands in indexes, and an entry of PostgreSQL's takes 2,700.
const LONGEST_NAME: usize = 200;

/// A token file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("cannot read the token file {path}: {reason}")]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Somebody else could write to it, and come in as whoever they like.
    #[error("everybody may write to the token file {0}")]
    Writable(String),
    /// A line is wrong. The line is not shown: it may hold a token.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing in it, so nobody could come in.
    #[error("the token file {0} names nobody")]
    Empty(String),
}

/// The hash of a token.
pub(super) type Hash = [u8; 32];

/// Reads a token file.
///
/// # Errors
/// [`TokenFileError`], naming file and line.
pub(super) fn read(path: &Path) -> Result<Vec<(Hash, Principal)>, TokenFileError> {
    let shown = path.display().to_string();
    let unreadable = |e: io::Error| TokenFileError::Unreadable { path: shown.clone(), reason: e.to_string() };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o002 != 0 {
        return Err(TokenFileError::Writable(shown));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let mut lines = Vec::<Line>::new();
    for (number, text) in (1..).zip(encoding::decode(bytes).map_err(unreadable)?.lines()) {
        let wrong = |reason| TokenFileError::Line { path: shown.clone(), line: number, reason };
        if let Some(line) = Line::parse(number, text).map_err(|reason| wrong(reason.to_owned()))? {
            lines.iter().try_for_each(|before| line.agrees_with(before)).map_err(wrong)?;
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return Err(TokenFileError::Empty(shown));
    }
    Ok(lines.into_iter().map(|line| (line.hash, line.principal)).collect())
}

/// A line that names somebody.
#[derive(Debug)]
struct Line {
    number: usize,
    hash: Hash,
    principal: Principal,
}

impl Line {
    /// `None` where nothing but a comment stands.
    fn parse(number: usize, text: &str) -> Result<Option<Self>, &'static str> {
        let mut words = text.split('#').next().unwrap_or_default().split_whitespace();
        let Some(hash) = words.next() else { return Ok(None) };
        let hash = parse_hash(hash).ok_or("the hash is not 64 hexadecimal digits")?;
        if hash == Hash::from(Sha256::digest(b"")) {
            return Err("the hash is that of an empty token");
        }
        let name = words.next().ok_or("the name is missing")?;
        if name.len() > LONGEST_NAME {
            return Err("the name is longer than 200 bytes");
        }
        let (mut email, mut id) = (None, None);
        for word in words {
            if word.contains('@') && email.is_none() {
                email = Some(Arc::from(word));
            } else if let (Ok(uuid), None) = (Uuid::parse_str(word), id) {
                id = Some(uuid);
            } else {
                return Err("after the name come an email and a UUID, each at most once");
            }
        }
        Ok(Some(Self { number, hash, principal: Principal { name: Arc::from(name), email, id } }))
    }

    /// One token is one principal's, and one principal has one email and one UUID.
    fn agrees_with(&self, before: &Self) -> Result<(), String> {
        if self.hash == before.hash {
            return Err(format!("the same token as in line {}", before.number));
        }
        let (own, theirs) = (&self.principal, &before.principal);
        let differs = own.email.as_ref().zip(theirs.email.as_ref()).is_some_and(|(one, other)| one != other)
            || own.id.zip(theirs.id).is_some_and(|(one, other)| one != other);
        if own.name == theirs.name && differs {
            return Err(format!("{} has another email or UUID in line {}", own.name, before.number));
        }
        Ok(())
    }
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    /// A file with that text, and what is read from it.
    fn read_text(text: &str) -> (tempfile::NamedTempFile, Result<Vec<(Hash, Principal)>, TokenFileError>) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let found = read(file.path());
        (file, found)
    }

    fn hash(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn a_bad_line_is_named_but_not_shown() {
        let [a, b, empty] =
            [hash('a'), hash('b'), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into()];
        for (number, text, words) in [
            (1, "hunter2 ada".to_owned(), "64 hexadecimal digits"),
            (1, format!("+1{} ada", "0".repeat(62)), "64 hexadecimal digits"),
            (2, format!("# who\n{} ada", &a[1..]), "64 hexadecimal digits"),
            (3, format!("\n\n{a}0 ada"), "64 hexadecimal digits"),
            (1, format!("{empty} ada"), "empty token"),
            (1, a.clone(), "the name is missing"),
            (1, format!("{a} # ada"), "the name is missing"),
            (1, format!("{a} {}", "a".repeat(201)), "longer than 200 bytes"),
            (1, format!("{a} ada nonsense"), "an email and a UUID"),
            (1, format!("{a} ada a@b c@d"), "an email and a UUID"),
            (2, format!("{a} ada\n{a} bob"), "the same token as in line 1"),
            (4, format!("{b} bob\n{a} ada\n\n{} ada", a.to_uppercase()), "the same token as in line 2"),
            (2, format!("{a} ada ada@b\n{b} ada eve@b"), "ada has another email or UUID in line 1"),
        ] {
            let (file, refused) = read_text(&text);
            let error = refused.expect_err(&text).to_string();
            assert!(error.starts_with(&format!("{}, line {number}: ", file.path().display())), "{error}");
            assert!(error.contains(words) && !error.contains("hunter2") && !error.contains(&a), "{error}");
        }
        assert!(matches!(read_text("# nobody\n\n").1, Err(TokenFileError::Empty(_))));
    }

    #[test]
    fn a_name_may_have_a_new_token_beside_the_old_one() {
        let (_file, found) = read_text(&format!("{} ada ada@b\n{} ada\n{} bob\n", hash('a'), hash('b'), hash('c')));
        let names: Vec<_> = found.expect("read").into_iter().map(|(_, principal)| principal.name).collect();
        assert_eq!(names, ["ada", "ada", "bob"].map(Arc::from));
    }

    #[test]
    fn a_file_that_everybody_may_write_to_is_refused() {
        let (file, found) = read_text(&format!("{} ada\n", hash('a')));
        assert_eq!(found.expect("read").len(), 1);
        for (mode, is_refused) in [(0o602, true), (0o666, true), (0o664, false), (0o400, false)] {
            std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).expect("set");
            assert_eq!(matches!(read(file.path()), Err(TokenFileError::Writable(_))), is_refused, "{mode:o}");
        }
    }
}
