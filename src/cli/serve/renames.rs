//! `--rename-principal OLD=NEW`: sessions follow whoever has a new name in the token file.

use std::collections::HashSet;

use crate::cli::exit::Usage;
use crate::model::principal::Principal;
use crate::model::timestamp::Timestamp;
use crate::server::Principals;
use crate::store::{Store, StoreError};

/// A principal that has another name now.
#[derive(Debug, Clone)]
pub(super) struct Rename {
    old: String,
    new: String,
}

impl Rename {
    /// Reads `OLD=NEW`.
    ///
    /// # Errors
    /// When there are not two names.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() && old != new => {
                Ok(Self { old: old.to_owned(), new: new.to_owned() })
            }
            _ => Err("it is not OLD=NEW, with two different names"),
        }
    }
}

/// Renames that the token file bears out: each old name with who has the new one.
#[derive(Debug)]
pub(super) struct Renames(Vec<(String, Principal)>);

impl Renames {
    /// Looks the names up.
    ///
    /// # Errors
    /// When the new name is not in the token file, the old one still is, or it is renamed twice.
    pub(super) fn among(principals: &Principals, asked: &[Rename]) -> Result<Self, Usage> {
        let mut seen = HashSet::new();
        let mut renames = Vec::new();
        for Rename { old, new } in asked {
            let wrong = |what: String, way_out: &'static str| {
                Err(Usage::new(format!("--rename-principal {old}={new}: {what}"), way_out))
            };
            let Some(principal) = principals.of_name(new) else {
                return wrong(
                    format!("{new} is not in the token file"),
                    "give the line in --token-file the new name first",
                );
            };
            if principals.of_name(old).is_some() {
                return wrong(
                    format!("{old} is still in the token file"),
                    "take the old name out of --token-file: sessions belong to one of the two",
                );
            }
            if !seen.insert(old) {
                return wrong(format!("{old} is renamed twice"), "leave one out");
            }
            renames.push((old.clone(), principal.clone()));
        }
        Ok(Self(renames))
    }

    /// Gives the sessions to the new names. What was renamed at an earlier start is not there any more.
    ///
    /// # Errors
    /// [`StoreError`]; those before it are renamed.
    pub(super) async fn carry_out(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        for (old, new) in &self.0 {
            let renamed = store.rename_principal(old, new, now).await?;
            tracing::info!(
                connections = renamed.connections,
                archon_sessions = renamed.archon,
                "the live sessions of {old} belong to {}",
                new.name
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_are_needed() {
        let rename = Rename::parse("ada=ada.l").expect("two names");
        assert_eq!((rename.old.as_str(), rename.new.as_str()), ("ada", "ada.l"));
        for wrong in ["ada", "=ada", "ada=", "ada=ada", ""] {
            assert!(Rename::parse(wrong).is_err(), "{wrong}");
        }
    }
}
