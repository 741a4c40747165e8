//! The token file, read again while the server runs.

use std::path::Path;

use super::App;
use super::principals::Principals;

impl App {
    /// Reads the token file again. One that cannot be used changes nothing. Who is not in it any more is not let in from
    /// now on; at the second reading without them their sessions end.
    pub async fn read_principals(&self, file: &Path) {
        let next = match Principals::read(file) {
            Ok(next) => next,
            Err(error) => {
                tracing::error!("{error}; the tokens stay as they were");
                return;
            }
        };
        let count = next.count();
        let gone = self.principals.take(next);
        tracing::info!("the token file {} was read again: it has {count} tokens", file.display());
        for name in gone {
            match self.engine.sessions().dismiss(&name).await {
                Ok(ended) => {
                    self.principals.missing().remove(&name);
                    tracing::info!(principal = %name, "{ended} sessions of a principal without a token have ended");
                }
                Err(error) => tracing::warn!(
                    principal = %name, %error,
                    "the sessions of a principal without a token cannot be ended now; the next reading tries again"
                ),
            }
        }
    }
}
