//! Bearer tokens: who a token belongs to. The file holds hashes; a token is never stored, shown or logged.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::model::principal::Principal;

/// The longest name, in bytes: it stands in indexes, and an entry of PostgreSQL's takes 2,700.
const LONGEST_NAME: usize = 200;

/// The principals of a token file, or everybody.
#[derive(Debug, Default)]
pub struct Principals {
    known: Vec<([u8; 32], Principal)>,
}

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
    /// A line is wrong. The line is not shown: it may hold a token.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is nothing in it, so nobody could come in.
    #[error("the token file {0} names nobody")]
    Empty(String),
}

impl Principals {
    /// How many tokens there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Everybody, as one and the same.
    pub fn everybody() -> Self {
        Self::default()
    }

    /// Reads a token file: one line a principal, `#` starts a comment.
    ///
    /// # Errors
    /// [`TokenFileError`], naming file and line.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let shown = path.display().to_string();
        let text = std::fs::read(path)
            .and_then(crate::model::encoding::decode)
            .map_err(|e| TokenFileError::Unreadable { path: shown.clone(), reason: e.to_string() })?;
        let mut known = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(hash) = words.next() else { continue };
            let wrong = |reason| TokenFileError::Line { path: shown.clone(), line: index + 1, reason };
            let hash = parse_hash(hash).ok_or_else(|| wrong("the hash is not 64 hexadecimal digits"))?;
            let name = words.next().ok_or_else(|| wrong("the name is missing"))?;
            if name.len() > LONGEST_NAME {
                return Err(wrong("the name is longer than 200 bytes"));
            }
            let (mut email, mut id) = (None, None);
            for word in words {
                if word.contains('@') && email.is_none() {
                    email = Some(Arc::from(word));
                } else if let (Ok(uuid), None) = (Uuid::parse_str(word), id) {
                    id = Some(uuid);
                } else {
                    return Err(wrong("after the name come an email and a UUID, each at most once"));
                }
            }
            known.push((hash, Principal { name: Arc::from(name), email, id }));
        }
        if known.is_empty() { Err(TokenFileError::Empty(shown)) } else { Ok(Self { known }) }
    }

    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.known.iter().map(|(_, principal)| &principal.name)
    }

    /// Who has that name.
    pub fn of_name(&self, name: &str) -> Option<&Principal> {
        self.known.iter().map(|(_, principal)| principal).find(|principal| *principal.name == *name)
    }

    /// Whether a token is needed.
    pub fn are_required(&self) -> bool {
        !self.known.is_empty()
    }

    /// Who that token belongs to. Every hash is compared, in constant time: how long it takes tells nothing.
    pub fn of_token(&self, token: &str) -> Option<&Principal> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = None;
        for (known, principal) in &self.known {
            if bool::from(known.ct_eq(&hash)) {
                found = Some(principal);
            }
        }
        found
    }
}

/// The principals as the token file names them now, and those that it names no more.
#[derive(Debug)]
pub(super) struct Readings {
    now: RwLock<Arc<Principals>>,
    /// Names that a reading lacked; their sessions end when the next one lacks them, too: a file that somebody is just
    /// writing anew costs nobody a session.
    missing: Mutex<HashSet<Arc<str>>>,
}

impl Readings {
    pub(super) fn new(first: Principals) -> Self {
        Self { now: RwLock::new(Arc::new(first)), missing: Mutex::default() }
    }

    /// Those of the last reading.
    pub(super) fn now(&self) -> Arc<Principals> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the next reading; gives the names that the one before lacked, too.
    pub(super) fn take(&self, next: Principals) -> Vec<Arc<str>> {
        let before = self.now();
        let mut missing = self.missing();
        missing.retain(|name| !next.names().any(|there| there == name));
        let gone = missing.iter().cloned().collect();
        missing.extend(before.names().filter(|name| !next.names().any(|there| there == *name)).cloned());
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        gone
    }

    /// The names that the last reading lacked.
    pub(super) fn missing(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn read(text: &str) -> Result<Principals, TokenFileError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Principals::read(file.path())
    }

    #[test]
    fn finds_the_principal_of_a_token() {
        // The SHA-256 of "secret".
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let id = "550e8400-e29b-41d4-a716-446655440000";
        let principals = read(&format!("# who\n{hash} ada ada@example.org {id} # first\n")).expect("read");
        let ada = principals.of_token("secret").expect("known");
        assert_eq!(
            (&*ada.name, ada.email.as_deref(), ada.id),
            ("ada", Some("ada@example.org"), Uuid::parse_str(id).ok())
        );
        assert!(principals.of_token("Secret").is_none() && principals.of_token("").is_none());
    }

    #[test]
    fn who_is_missing_twice_is_gone() {
        let of = |names: &[&str]| {
            let line = |(n, name): (usize, &&str)| format!("{n:064x} {name}\n");
            read(&names.iter().enumerate().map(line).collect::<String>()).expect("read")
        };
        let readings = Readings::new(of(&["ada", "bob", "eve"]));
        let take = |names: &[&str]| readings.take(of(names)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(take(&["ada"]).is_empty(), "the first reading without them");
        assert_eq!(take(&["ada", "bob"]), ["eve"], "bob came back");
        readings.missing().remove("eve");
        assert!(take(&["ada"]).is_empty(), "bob is missing anew");
        assert_eq!(take(&["ada"]), ["bob"]);
        assert_eq!(take(&["ada"]), ["bob"], "as long as his sessions could not be ended");
    }

    #[test]
    fn a_bad_line_is_named_but_not_shown() {
        let long = format!("{} {}", "0".repeat(64), "a".repeat(201));
        let signed = format!("+1{} ada", "0".repeat(62));
        for bad in ["hunter2 ada", &signed, &"0".repeat(64), &format!("{} ada nonsense", "0".repeat(64)), &long, ""] {
            let error = read(bad).expect_err(bad).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
