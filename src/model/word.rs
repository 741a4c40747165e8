//! Enums that are words elsewhere: in a database's columns, in JSON, on a command line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A word that names none of an enum's variants.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} {word:?}")]
pub struct UnknownWord {
    /// What it should have been.
    pub what: &'static str,
    /// The word.
    pub word: String,
}

/// Defines an enum each of whose variants is one word: both ways, for people and for serde.
macro_rules! words {
    (
        $(#[$about:meta])*
        $vis:vis enum $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them, in their order.
            $vis const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::model::word::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|one| one.as_str() == text);
                found.ok_or_else(|| $crate::model::word::UnknownWord { what: $what, word: text.to_owned() })
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
                word.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use words;

/// A word in a column that others write, too: one of ours, or any other. Reading a list never fails for a word that a later
/// version, or somebody by hand, has written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Word<T> {
    /// One of ours.
    Ours(T),
    /// Any other.
    Other(String),
}

impl<T: AsRef<str>> Word<T> {
    /// The word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ours(one) => one.as_ref(),
            Self::Other(word) => word,
        }
    }
}

impl<T: Copy + PartialEq> Word<T> {
    /// Which of ours it is, if it is one.
    pub fn ours(&self) -> Option<T> {
        match self {
            Self::Ours(one) => Some(*one),
            Self::Other(_) => None,
        }
    }

    /// Whether it is that one.
    pub fn is(&self, one: T) -> bool {
        self.ours() == Some(one)
    }
}

impl<T: AsRef<str>> AsRef<str> for Word<T> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<T> From<T> for Word<T> {
    fn from(one: T) -> Self {
        Self::Ours(one)
    }
}

impl<T: FromStr> Word<T> {
    /// Reads a word.
    pub fn read(word: String) -> Self {
        word.parse().map_or(Self::Other(word), Self::Ours)
    }
}

impl<T: AsRef<str>> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<T: AsRef<str>> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// A colour.
        enum Colour, "colour" {
            /// Like the sky.
            Blue = "blue",
            /// Like grass.
            Green = "green",
        }
    }

    #[test]
    fn a_word_is_read_and_written() {
        assert_eq!("blue".parse(), Ok(Colour::Blue));
        assert_eq!("red".parse::<Colour>().map_err(|e| e.to_string()), Err("unknown colour \"red\"".to_owned()));
        assert_eq!(serde_json::to_string(Colour::ALL).expect("JSON"), r#"["blue","green"]"#);
        assert_eq!(serde_json::from_str::<Colour>(r#""green""#).expect("one of them"), Colour::Green);
        assert!(serde_json::from_str::<Colour>(r#""red""#).is_err());
        assert_eq!(format!("{:>6}", Colour::Blue), "  blue");
    }

    #[test]
    fn a_word_of_somebody_else_is_kept() {
        let words: Vec<Word<Colour>> = serde_json::from_str(r#"["blue", "red"]"#).expect("words");
        assert_eq!(words, [Word::Ours(Colour::Blue), Word::Other("red".to_owned())]);
        assert_eq!(serde_json::to_string(&words).expect("JSON"), r#"["blue","red"]"#);
        assert!(words[0].is(Colour::Blue) && !words[1].is(Colour::Blue) && words[1].ours().is_none());
    }
}
