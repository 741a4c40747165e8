//! A bearer token.

use http::HeaderValue;

use super::options_error::OptionsError;

/// A bearer token. `Debug` shows that there is one, not which.
#[derive(Debug, Clone)]
pub struct Token(pub(super) HeaderValue);

impl Token {
    /// The token of that text, white space around it cut off (files end with a line break).
    ///
    /// # Errors
    /// When nothing is left, or it cannot stand in a header.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(OptionsError::Token);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| OptionsError::Token)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}
