//! Token files, as an operator writes them.

use sha2::{Digest, Sha256};

/// The SHA-256 of a token, in hexadecimal digits.
pub(crate) fn hash(token: &str) -> String {
    Sha256::digest(token).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The text of a token file with these tokens, and whose each is.
pub(crate) fn lines(tokens: &[(&str, &str)]) -> String {
    let line = |(token, who): &(&str, &str)| [&hash(token), " ", who, "\n"].concat();
    tokens.iter().map(line).collect()
}
