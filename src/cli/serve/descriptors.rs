//! How many files the process may have open, and with that how many connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections a server takes at most, whatever the system allows: each with half a request takes some 22 KiB, and
/// all together are to stay well below 300 MiB.
const CONNECTIONS: usize = 8000;
/// What is left for all else: the database, logs, sockets of our own.
const RESERVE: u64 = 128;

/// Asks for as many descriptors as the system allows, and gives how many connections they are enough for.
pub(super) fn connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Where both are the same, as a service manager sets them, nothing is to be done, and its filter of system calls may
    // take the call amiss.
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    enough_for(getrlimit(Resource::Nofile).current)
}

/// `None` is no limit.
fn enough_for(descriptors: Option<u64>) -> usize {
    let left = descriptors.map_or(u64::MAX, |all| all - RESERVE.min(all / 2));
    usize::try_from(left).unwrap_or(usize::MAX).clamp(1, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_left_for_all_else() {
        for (descriptors, connections) in
            [(Some(1024), 896), (Some(64), 32), (Some(1), 1), (Some(65_536), CONNECTIONS), (None, CONNECTIONS)]
        {
            assert_eq!(enough_for(descriptors), connections, "{descriptors:?}");
        }
    }
}
