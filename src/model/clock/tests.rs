//! The clock, set and read.

use super::*;

const HOURS: i64 = 3_600_000;

fn ticking() -> Clock {
    let clock = Clock::default();
    clock.start_ticking();
    clock
}

fn close(a: i64, b: i64) -> bool {
    (a - b).abs() < 1000
}

#[tokio::test]
async fn advancing_wakes_sleepers() {
    let clock = Clock::default();
    let sleeper = tokio::spawn({
        let clock = clock.clone();
        async move { clock.sleep(Duration::from_hours(1)).await }
    });
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(3601));
    tokio::time::timeout(Duration::from_secs(5), sleeper).await.expect("woken").expect("joined");
}

#[test]
fn advancing_is_no_gap() {
    let clock = ticking();
    let before = clock.now();
    clock.advance(Duration::from_hours(26));
    assert!(close(clock.now().millis() - before.millis(), 26 * HOURS));
    assert_eq!(clock.tick(Follows::Wall), None);
}

#[test]
fn time_stands_still_until_a_freeze_is_told() {
    let clock = ticking();
    let before = clock.now();
    clock.freeze(Duration::from_secs(9));
    assert!(clock.now().since(before) <= Duration::from_secs(2), "no further than the last tick lets it");
    let gap = clock.tick(Follows::Wall).expect("a gap");
    assert!((9000..10_000).contains(&gap.frozen_ms) && gap.stepped_ms == 0, "{gap:?}");
    assert!(clock.now().since(before) <= Duration::from_secs(2));
    clock.go_on(Follows::Wall);
    assert!(close(clock.now().millis() - before.millis(), 9000));
    assert_eq!(clock.tick(Follows::Wall), None);
}

#[test]
fn a_step_of_the_wall_is_followed_when_it_was_told_or_never() {
    for (follows, step, moved) in [
        (Follows::Wall, 2 * HOURS, 2 * HOURS),
        (Follows::Wall, -2 * HOURS, -2 * HOURS),
        (Follows::Wall, 720 * HOURS, 720 * HOURS),
        (Follows::Database, 2 * HOURS, 0),
        (Follows::Database, -2 * HOURS, 0),
    ] {
        let clock = ticking();
        let before = clock.now().millis();
        clock.step(step);
        assert!(close(clock.now().millis(), before));
        let gap = clock.tick(follows).expect("a gap");
        assert!(close(gap.stepped_ms, step) && gap.frozen_ms == 0, "{gap:?}");
        clock.go_on(follows);
        assert!(close(clock.now().millis() - before, moved), "{follows:?} {step}");
        assert_eq!(clock.tick(follows), None);
    }
}

#[test]
fn less_than_a_step_is_taken_over_without_a_word() {
    let clock = ticking();
    let before = clock.now().millis();
    clock.step(1900);
    assert_eq!(clock.tick(Follows::Wall), None);
    assert!(close(clock.now().millis() - before, 1900));
}

#[test]
fn the_database_s_clock_is_followed_by_what_was_measured() {
    let clock = ticking();
    let (read, theirs) = (clock.read().expect("it goes on"), clock.now().plus(Duration::from_hours(1)));
    assert!(close(read.behind(theirs, 0), HOURS));
    clock.shift(HOURS);
    assert!(close(clock.now().millis(), theirs.millis()));
    clock.advance(Duration::from_hours(5));
    let read = clock.read().expect("it goes on");
    assert!(close(read.behind(theirs, 0), 0), "a test moves the database's time along");
    clock.freeze(Duration::from_secs(9));
    assert!(clock.read().is_none(), "it stands still");
}
