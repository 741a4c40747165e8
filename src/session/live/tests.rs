//! What is in memory of a session.

use super::*;
use crate::model::timestamp::Timestamp;

fn client() -> (Arc<str>, ClientCapabilities) {
    ("x".into(), ClientCapabilities::default())
}

#[test]
fn what_runs_ends_with_a_revocation_and_not_with_time() {
    for (reason, cancelled) in [("operator", true), ("client_disconnect", true), ("timeout", false), ("max_age", false)]
    {
        let start = Timestamp::from_millis(0);
        let times = || Times::new(start, start, start, 0);
        let bound = Bound::Reserved(Uuid::nil(), Arc::default());
        let live = Arc::new(Live::new("session-1".into(), "".into(), Revision::LATEST, client(), times(), bound));
        let run = live.runs().begin("1", None);
        live.mark_ended(Ended { at: None, reason: reason.into(), by: "alice".into() });
        assert_eq!(run.token().is_cancelled(), cancelled, "{reason}");
    }
}

#[test]
fn two_requests_of_one_id_are_both_cancelled_and_end_apart() {
    let start = Timestamp::from_millis(0);
    let live = Arc::new(Live::new(
        "session-1".into(),
        "".into(),
        Revision::LATEST,
        client(),
        Times::new(start, start, start, 0),
        Bound::Reserved(Uuid::nil(), Arc::default()),
    ));
    let (a, b) = (live.runs().begin("1", None), live.runs().begin("1", None));
    drop(a);
    assert_eq!(live.runs().cancel("1"), 1);
    assert!(b.token().is_cancelled());
    drop(b);
    assert!(!live.is_busy());
}
