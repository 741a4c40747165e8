//! What another program has to be told to reach the same server, secrets included. Nothing here is for people to read.

use http::{HeaderName, HeaderValue, header};
use reqwest::Url;

use super::options::ClientOptions;

impl ClientOptions {
    /// The whole URL, empty for a program; [`Self::place`] is the one to show.
    pub fn secret_url(&self) -> &str {
        self.url().map(Url::as_str).unwrap_or_default()
    }

    /// The headers that carry the token and whatever else was asked for.
    pub fn secret_headers(&self) -> Vec<(String, String)> {
        let token = self.token.as_ref().map(|token| (&header::AUTHORIZATION, &token.0));
        let text =
            |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
        token.into_iter().chain(&self.headers).filter_map(text).collect()
    }
}
