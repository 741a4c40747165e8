//! `${name}` in the texts of a step, taken apart. `$${` stands for `${` itself.

use std::borrow::Cow;

use thiserror::Error;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::selftest) enum Piece<'a> {
    /// As it stands.
    Plain(Cow<'a, str>),
    /// A variable's name.
    Variable(&'a str),
}

/// Why a text cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// `${` without a name and `}`.
    #[error("{0:?} has a ${{ that no name and }} follow")]
    Malformed(String),
    /// A name that nothing stands for.
    #[error("nothing is saved as {0:?}")]
    Unknown(String),
    /// Beyond all measure.
    #[error("a text grows beyond {0} bytes")]
    TooLong(usize),
    /// A text that SQL cannot hold.
    #[error("a NUL cannot stand in SQL")]
    Nul,
}

/// Whether a text can name a variable.
pub(in crate::selftest) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The parts of a text. `$${` stands for `${` itself.
pub(in crate::selftest) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            pieces.push(Piece::Plain(Cow::Owned(format!("{before}${{"))));
            rest = &after[2..];
            continue;
        }
        let malformed = || TemplateError::Malformed(text.chars().take(80).collect());
        let (name, after) = after[2..].split_once('}').ok_or_else(malformed)?;
        if !name.split('.').all(is_name) || name.split('.').count() > 2 {
            return Err(malformed());
        }
        pieces.push(Piece::Plain(Cow::Borrowed(before)));
        pieces.push(Piece::Variable(name));
        rest = after;
    }
    pieces.push(Piece::Plain(Cow::Borrowed(rest)));
    pieces.retain(|piece| !matches!(piece, Piece::Plain(text) if text.is_empty()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_texts_apart() {
        let plain = |text: &'static str| Piece::Plain(text.into());
        for (text, expected) in [
            ("", vec![]),
            ("plain $ {x} $$ }", vec![plain("plain $ {x} $$ }")]),
            ("<${a}>", vec![plain("<"), Piece::Variable("a"), plain(">")]),
            ("${a}${main.id}", vec![Piece::Variable("a"), Piece::Variable("main.id")]),
            ("$${a} ${n}", vec![plain("${"), plain("a} "), Piece::Variable("n")]),
        ] {
            assert_eq!(pieces(text), Ok(expected), "{text}");
        }
        for text in ["${", "${}", "${a b}", "${a.b.c}", "x ${a"] {
            assert!(matches!(pieces(text), Err(TemplateError::Malformed(_))), "{text}");
        }
    }
}
