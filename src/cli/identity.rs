//! Who works at this machine.

/// The name of the user, as the system has it.
pub(super) fn user() -> String {
    whoami::username().unwrap_or_else(|_| "unknown".to_owned())
}

/// `user@host`: who ended a session, in its row and its event.
pub(super) fn actor() -> String {
    format!("{}@{}", user(), whoami::hostname().unwrap_or_else(|_| "unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_actor_has_a_user_and_a_host() {
        let actor = super::actor();
        assert!(actor.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()), "{actor}");
    }
}
