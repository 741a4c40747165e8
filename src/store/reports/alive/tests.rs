//! Ends of rows, in sums and in SQL.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_768_046_400_000);
const MINUTE: i64 = 60_000;

/// Ten minutes without a server, a clock that was set back by five, an hour without a server.
fn moment(max_age: Option<Duration>) -> Moment {
    let outages = vec![(2, 10 * MINUTE), (5, -5 * MINUTE), (6, 60 * MINUTE)];
    Moment { now: NOW, outages, rules: Rules { max_age, ..Rules::default() } }
}

fn minutes(n: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + n * MINUTE)
}

#[test]
fn a_row_has_all_outages_coming_that_it_was_not_credited_for() {
    let end = |credited| {
        let at = minutes(-1);
        let time = Time { began: at, last_activity: at, stream_at: None, expires_at: Some(at), credited };
        moment(None).end_of_archon(&time)
    };
    for (credited, expected) in [(None, -1), (Some(0), 64), (Some(2), 54), (Some(4), 54), (Some(5), 59), (Some(6), -1)]
    {
        assert_eq!(end(credited), Some(minutes(expected)), "{credited:?}");
    }
}

#[test]
fn a_connection_has_the_newest_servers_time_and_no_more_than_its_age() {
    let time = |began, expires| Time {
        began: minutes(began),
        last_activity: minutes(-100),
        stream_at: None,
        expires_at: Some(minutes(expires)),
        credited: Some(6),
    };
    let month = 30 * 24 * 60;
    assert_eq!(moment(None).end_of_connection(&time(-200, -40)), Some(minutes(month - 100)), "it says an hour");
    assert_eq!(moment(None).end_of_connection(&time(-200, 2 * month)), Some(minutes(2 * month)));
    let day = Some(Duration::from_hours(24));
    assert_eq!(moment(day).end_of_connection(&time(-200, 2 * month)), Some(minutes(24 * 60 - 200)));
    assert!(moment(day).is_too_old(&time(-200, 0), minutes(24 * 60 - 200)));
    assert!(!moment(None).is_too_old(&time(-200, 0), minutes(5)));
}

#[test]
fn an_open_stream_is_use() {
    let time = |stream_at| Time {
        began: minutes(-500),
        last_activity: minutes(-90),
        stream_at,
        expires_at: None,
        credited: None,
    };
    assert!(!moment(None).is_used(&time(None)));
    assert!(moment(None).is_used(&time(Some(minutes(-60)))), "exactly at the limit");
    assert!(!moment(None).is_used(&time(Some(minutes(-61)))));
}

/// What the SQL says, and what the same row's end says, of every row near an end.
#[test]
fn sql_and_sums_agree() {
    let sqlite = rusqlite::Connection::open_in_memory().expect("a database");
    let month: i64 = 30 * 24 * 60;
    let mut seen = [0, 0];
    for max_age in [None, Some(Duration::from_mins(month.unsigned_abs() + 10))] {
        let moment = moment(max_age);
        let (archon, connection) = (moment.archon_alive_sql(), moment.connection_alive_sql());
        for credited in [None, Some(0), Some(2), Some(3), Some(5), Some(6)] {
            for offset in [-70, -65, -64, -60, -59, -55, -54, -10, -5, -1, 0, 1, 4, 5, 6] {
                for (began, used) in [(-month, -month), (-month - 20, offset - month), (-5, -5), (-month - 10, -1)] {
                    let time = Time {
                        began: minutes(began),
                        last_activity: minutes(used),
                        stream_at: None,
                        expires_at: Some(minutes(offset)),
                        credited,
                    };
                    let sql = format!(
                        "SELECT {archon}, {connection} FROM (SELECT '{}' AS connected_at, '{}' AS last_activity, \
                         '{}' AS expires_at, {} AS credited)",
                        time.began.sql_text(),
                        time.last_activity.sql_text(),
                        minutes(offset).sql_text(),
                        credited.map_or("NULL".to_owned(), |n: i64| n.to_string())
                    );
                    let told = sqlite.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row");
                    let alive = |end: Option<Timestamp>| end.is_some_and(|end| end >= NOW);
                    let expected = (alive(moment.end_of_archon(&time)), alive(moment.end_of_connection(&time)));
                    assert_eq!(told, expected, "{time:?}");
                    seen[usize::from(expected.1)] += 1;
                }
            }
        }
    }
    assert!(seen.iter().all(|n| *n > 50), "{seen:?}");
}
