//! Enums on the command line.

use std::error::Error;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Takes one of these words: they complete, and the error about any other names them.
pub(super) fn one_of<T>(all: impl IntoIterator<Item = T>) -> impl TypedValueParser<Value = T>
where
    T: AsRef<str> + FromStr<Err: Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    let words = all.into_iter().map(|one| one.as_ref().to_owned());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}
