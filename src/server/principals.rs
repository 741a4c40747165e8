//! Bearer tokens: who a token belongs to. The file holds hashes; a token is never stored, shown or logged.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::token_file::{self, TokenFileError};
use crate::model::principal::Principal;

/// The principals of a token file, or everybody.
#[derive(Debug, Default)]
pub struct Principals {
    known: Vec<([u8; 32], Principal)>,
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

    /// Reads a token file.
    ///
    /// # Errors
    /// [`TokenFileError`], naming file and line.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        Ok(Self { known: token_file::read(path)? })
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

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
}
