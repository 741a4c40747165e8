//! What is in memory of a session.

use super::*;
use crate::session::Caps;
use crate::store::boots::Outage;
use std::time::Duration;

fn policy() -> Policy {
    Policy {
        timeout: Duration::from_mins(1),
        protocol_timeout: Duration::from_mins(2),
        max_age: Some(Duration::from_secs(90)),
        recover_window: Duration::ZERO,
        cleanup_interval: Duration::ZERO,
        retention: None,
        capture_retention: None,
        store_grace: Duration::ZERO,
        caps: Caps::default(),
        token_method: "off",
        listen: None,
        on_tick: None,
    }
}

#[test]
fn the_end_of_time_is_the_earlier_of_idle_and_age() {
    let start = Timestamp::from_millis(0);
    assert_eq!(policy().archon_end(start, start).millis(), 60_000);
    assert_eq!(policy().archon_end(start, Timestamp::from_millis(50_000)).millis(), 90_000);
    assert_eq!(policy().protocol_end(start, start).millis(), 90_000);
    let ageless = Policy { max_age: None, ..policy() };
    assert_eq!(ageless.protocol_end(start, start).millis(), 120_000);
}

#[test]
fn exactly_at_the_limit_is_still_valid() {
    let start = Timestamp::from_millis(0);
    let times = Times::new(start, start, Timestamp::from_millis(1000), 0);
    assert!(!times.is_over(Timestamp::from_millis(1000)) && times.is_over(Timestamp::from_millis(1001)));
}

#[test]
fn a_touch_never_goes_back_and_is_listed_once() {
    let start = Timestamp::from_millis(0);
    let times = Times::new(start, start, Timestamp::from_millis(60_000), 0);
    let touch = |at| times.touch(Timestamp::from_millis(at), Timestamp::from_millis(at + 60_000));
    assert!(touch(500));
    assert!(!touch(400));
    assert_eq!((times.last_activity().millis(), times.expires_at().millis()), (500, 60_500));
}

#[test]
fn credit_is_what_came_after_the_last_use() {
    let at = Timestamp::from_millis;
    let after = |last: i64, credit_ms: i64| {
        let times = Times::new(at(0), at(last), at(last + 60_000), 0);
        times.credit(&Outage { number: 1, credit_ms, ended_at: at(50_000) }, at(51_000));
        (times.last_activity().millis(), times.expires_at().millis())
    };
    assert_eq!(after(10_000, 30_000), (10_000, 100_000));
    assert_eq!(after(40_000, 30_000), (40_000, 110_000), "used in between");
    assert_eq!(after(55_000, 30_000), (55_000, 115_000), "used since");
    assert_eq!(after(55_000, -30_000), (25_000, 85_000), "a clock that was set back");
    assert_eq!(after(50_500, -30_000), (50_500, 110_500), "used since it was set back");
}

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
