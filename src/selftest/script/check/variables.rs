//! Variables stand for what an earlier step has saved.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::{Checker, OF_A_SESSION};
use crate::selftest::script::error::ScriptError;
use crate::selftest::script::nearest;
use crate::selftest::script::step::Step;
use crate::selftest::script::template::{self, Piece};

impl Checker<'_> {
    pub(super) fn variables_in(&self, step: &Step, value: &Spanned<DeValue<'_>>) -> Result<(), ScriptError> {
        match value.get_ref() {
            DeValue::String(text) => self.variables(step, text, &value.span()),
            DeValue::Array(list) => list.iter().try_for_each(|value| self.variables_in(step, value)),
            DeValue::Table(table) => table.values().try_for_each(|value| self.variables_in(step, value)),
            _ => Ok(()),
        }
    }

    pub(super) fn variables(&self, step: &Step, text: &str, at: &Range<usize>) -> Result<(), ScriptError> {
        let pieces = match template::pieces(text) {
            Ok(pieces) => pieces,
            Err(error) => return self.fail(at, error.to_string(), Some("$${ stands for ${ itself".to_owned())),
        };
        for piece in pieces {
            let Piece::Variable(name) = piece else { continue };
            let is_known = match name.split_once('.') {
                Some((session, member)) => {
                    let open = session == "session" && (!self.sessions.is_empty() || step.session.is_some())
                        || self.sessions.contains(session);
                    open && OF_A_SESSION.contains(&member)
                }
                None => self.known.contains(name),
            };
            if !is_known {
                let sessions = self.sessions.iter().map(String::as_str).chain(["session"]);
                let of_sessions: Vec<String> =
                    sessions.flat_map(|s| OF_A_SESSION.map(|member| format!("{s}.{member}"))).collect();
                let all = self.known.iter().map(String::as_str).chain(of_sessions.iter().map(String::as_str));
                let hint = nearest(name, all).or_else(|| Some("an earlier step saves it, with save".to_owned()));
                return self.fail(at, format!("nothing is saved as {name:?} before this step"), hint);
            }
        }
        Ok(())
    }
}
