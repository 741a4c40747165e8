//! What another program has to be told to reach the same server, secrets included; and what must be shown to nobody.
//! Nothing here is for people to read.

use http::{HeaderName, HeaderValue, header};
use reqwest::Url;

use super::options::{ClientOptions, Server};
use crate::model::mask::is_secret_name;
use crate::model::secret::Secrets;

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

    /// What the server is told, or its program, and must not be shown when they repeat it.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        self.secret_headers().iter().for_each(|(name, value)| secrets.add_value(name, value));
        match &self.server {
            Server::Http(url) => secrets.add_url(url.as_str()),
            Server::Program(program) => {
                // The others say where things are, and what to do.
                let secret = program.variables.iter().filter(|(name, _)| is_secret_name(name));
                secret.for_each(|(name, value)| secrets.add_value(name, value));
            }
        }
        secrets
    }
}
