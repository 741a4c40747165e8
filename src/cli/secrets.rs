//! The secrets that this process was given or has sent: none of its outputs shows them, whatever a server repeats.

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::{PoisonError, RwLock};

use crate::model::secret::Secrets;

static HELD: RwLock<Option<Secrets>> = RwLock::new(None);

/// From now on these are hidden, too.
pub(super) fn hold(secrets: &Secrets) {
    let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
    held.get_or_insert_default().join(secrets);
}

/// The same of whatever is secret in a URL.
pub(super) fn hold_url(url: &str) {
    let mut secrets = Secrets::default();
    secrets.add_url(url);
    hold(&secrets);
}

/// Holds what stands in the arguments and in the environment. They are looked through unparsed: a message about wrong
/// arguments repeats them.
pub(super) fn hold_given(args: &[OsString], variable: impl Fn(&str) -> Option<String>) {
    let mut secrets = Secrets::default();
    secrets.add(&variable("ARCHONCTL_TOKEN").unwrap_or_default());
    ["ARCHONCTL_URL", "DATABASE_URL"].iter().filter_map(|name| variable(name)).for_each(|url| secrets.add_url(&url));
    let mut args = args.iter().filter_map(|arg| arg.to_str());
    while let Some(arg) = args.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ if arg.starts_with("-H") && arg.len() > 2 => ("-H", Some(&arg[2..])),
            _ => (arg, None),
        };
        match flag {
            "-H" | "--header" => secrets.add_header(value.or_else(|| args.next()).unwrap_or_default()),
            "--url" | "--database-url" => secrets.add_url(value.or_else(|| args.next()).unwrap_or_default()),
            _ if arg.starts_with("postgres") => secrets.add_url(arg),
            // What a tool is given is data, but for a login.
            _ => secrets.add_login(arg),
        }
    }
    hold(&secrets);
}

/// A text without them.
pub(super) fn hidden(text: &str) -> Cow<'_, str> {
    HELD.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(Cow::Borrowed(text), |held| held.hide(text))
}

/// A JSON document without them.
pub(super) fn hidden_in_json(document: &str) -> Cow<'_, str> {
    let held = HELD.read().unwrap_or_else(PoisonError::into_inner);
    held.as_ref().map_or(Cow::Borrowed(document), |held| held.hide_in_json(document))
}
