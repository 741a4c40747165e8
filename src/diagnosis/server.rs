//! Is a server alive, does it do its work, and does the database answer.

use super::finding::{Finding, Rule, Subject};
use super::snapshot::Snapshot;
use super::thresholds::ServerThresholds;
use crate::model::figures::{millis, span};
use crate::queries::boots::Boot;

/// What is wrong with the server and its database.
pub(super) fn of_server(snapshot: &Snapshot<'_>, thresholds: &ServerThresholds) -> Vec<Finding> {
    let up = snapshot.boots.map(|boots| boots.iter().find(|boot| boot.is_up(snapshot.now)));
    let server = match up {
        None => None,
        Some(None) => Some(no_server(snapshot)),
        Some(Some(boot)) => no_cleanup(boot, snapshot, thresholds),
    };
    server.into_iter().chain(crash_loop(snapshot, thresholds)).chain(slow_database(snapshot, thresholds)).collect()
}

fn crash_loop(snapshot: &Snapshot<'_>, thresholds: &ServerThresholds) -> Option<Finding> {
    let since = snapshot.now.minus(thresholds.crash_window);
    let recent = snapshot.boots.unwrap_or_default().iter().filter(|boot| boot.started_at >= since);
    let broken: Vec<&Boot> = recent.filter(|boot| boot.ended_by_itself()).collect();
    let last = broken.first().filter(|_| broken.len() >= thresholds.crashes)?;
    let cause = last.end_cause.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let evidence = last.end_evidence.as_deref().unwrap_or("it left no word");
    Some(Finding {
        rule: Rule::CrashLoop,
        subject: Subject::Server,
        text: format!("ended {} times within {}, last: {cause}", broken.len(), span(thresholds.crash_window)),
        evidence: format!("boot {}: {evidence}", last.number),
        next_step: "see how each of them ended: archonctl boots".to_owned(),
    })
}

fn no_server(snapshot: &Snapshot<'_>) -> Finding {
    let last = snapshot.boots.and_then(<[Boot]>::first);
    let at = last.map(|boot| boot.ended_at.unwrap_or(boot.heartbeat_at));
    let since = at.map_or_else(String::new, |at| format!(" for {}", span(snapshot.now.since(at))));
    let evidence = last.zip(at).map(|(boot, at)| format!("the last one, boot {}, was alive at {at}", boot.number));
    Finding {
        rule: Rule::NoServer,
        subject: Subject::Server,
        text: format!("no server running{since}"),
        evidence: evidence.unwrap_or_else(|| "none has ever run on this database".to_owned()),
        next_step: format!("start one: {}", snapshot.start),
    }
}

fn no_cleanup(boot: &Boot, snapshot: &Snapshot<'_>, thresholds: &ServerThresholds) -> Option<Finding> {
    let cleaned = boot.cleanup_at.unwrap_or(boot.started_at);
    let since = snapshot.now.since(cleaned);
    (since >= thresholds.no_cleanup).then(|| Finding {
        rule: Rule::NoCleanup,
        subject: Subject::Server,
        text: format!("no cleanup for {}: sessions may outlive their time", span(since)),
        evidence: format!("boot {} last cleaned up at {cleaned}", boot.number),
        next_step: "see the server's log for why the cleanup does not run".to_owned(),
    })
}

fn slow_database(snapshot: &Snapshot<'_>, thresholds: &ServerThresholds) -> Option<Finding> {
    let took = snapshot.answer.filter(|took| *took >= thresholds.slow_database)?;
    let took = millis(took.as_secs_f64() * 1000.0);
    Some(Finding {
        rule: Rule::SlowDatabase,
        subject: Subject::Database,
        text: format!("the database is slow: {took}"),
        evidence: format!("a small question took {took}"),
        next_step: "see what else uses the database, its disk or the way to it".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::boot::EndCause;
    use crate::model::timestamp::Timestamp;

    const NOW: Timestamp = Timestamp::from_millis(1_768_046_400_000);

    fn boot(heartbeat: u64, cleanup: u64) -> Boot {
        let ago = |seconds| NOW.minus(Duration::from_secs(seconds));
        Boot {
            number: 3,
            pid: None,
            version: "0.2.0".to_owned(),
            started_at: ago(7200),
            heartbeat_at: ago(heartbeat),
            cleanup_at: Some(ago(cleanup)),
            ended_at: None,
            end_cause: None,
            end_confidence: None,
            end_evidence: None,
            start_number: None,
            instance: None,
            host: None,
            listen: None,
            memory_bytes: None,
            outage_s: 0,
            recovered: None,
        }
    }

    fn found(boots: Option<&[Boot]>, answer: u64) -> Vec<String> {
        let answer = Some(Duration::from_millis(answer));
        let snapshot = Snapshot { now: NOW, boots, answer, start: "archonctl serve", ..Snapshot::default() };
        let found = of_server(&snapshot, &ServerThresholds::default());
        found.iter().map(|finding| format!("{}: {}", finding.rule, finding.text)).collect()
    }

    #[test]
    fn a_server_that_is_up_and_cleans_up_is_well() {
        assert!(found(Some(&[boot(5, 300)]), 1).is_empty());
        assert!(found(None, 1).is_empty(), "nothing is known of servers");
    }

    #[test]
    fn a_server_that_ends_again_and_again_is_in_a_loop() {
        let ended = |cause: EndCause, began: u64| {
            let at = |seconds| NOW.minus(Duration::from_secs(seconds));
            let evidence = Some("its process 7 is gone".to_owned());
            let (started_at, ended_at) = (at(began), Some(at(began - 1)));
            Boot { end_cause: Some(cause.into()), end_evidence: evidence, started_at, ended_at, ..boot(5, 300) }
        };
        let of = |causes: &[(EndCause, u64)]| {
            let ends = causes.iter().map(|(cause, began)| ended(*cause, *began));
            found(Some(&std::iter::once(boot(5, 300)).chain(ends).collect::<Vec<_>>()), 1)
        };
        let crashes = [(EndCause::OutOfMemory, 60), (EndCause::Crash, 120), (EndCause::Signal, 890)];
        assert_eq!(of(&crashes), ["crash_loop: ended 3 times within 15m00s, last: out_of_memory"]);
        assert!(of(&crashes[1..]).is_empty(), "too few");
        assert!(of(&[crashes[0], crashes[1], (EndCause::Crash, 910)]).is_empty(), "too long ago");
        assert!(of(&[crashes[0], crashes[1], (EndCause::Clean, 200)]).is_empty(), "it was told to");
    }

    #[test]
    fn no_server_no_cleanup_and_a_slow_database_are_found() {
        assert_eq!(found(Some(&[]), 1), ["no_server: no server running"]);
        assert_eq!(found(Some(&[boot(600, 700)]), 1), ["no_server: no server running for 10m00s"]);
        let cleanup = "no_cleanup: no cleanup for 20m00s: sessions may outlive their time";
        assert_eq!(found(Some(&[boot(5, 1200)]), 300), [cleanup, "slow_database: the database is slow: 300ms"]);
    }
}
