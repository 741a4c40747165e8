use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_768_046_400_000);

fn here() -> Host {
    Host {
        name: Some("web-1".into()),
        kernel_boot: Some("k1".into()),
        pid_namespace: Some("pid:[1]".into()),
        pid_started: Some(7),
    }
}

/// One that was buried: nobody knows why.
fn buried() -> Former {
    Former {
        number: 4,
        start_number: Some(2),
        heartbeat_at: NOW.minus(Duration::from_mins(1)),
        ended_at: Some(NOW.minus(Duration::from_mins(1))),
        end_cause: Some(EndCause::Crash.into()),
        end_confidence: None,
        end_evidence: None,
        pid: Some(4242),
        pid_started: Some(7),
        host: Some("web-1".into()),
        kernel_boot: Some("k1".into()),
        pid_namespace: Some("pid:[1]".into()),
        memory_limit_bytes: None,
        memory_used_bytes: None,
        memory_is_short: Some(false),
        control_group: Some("/archonctl".into()),
        group_kills: Some(0),
        machine_kills: Some(10),
    }
}

fn end(former: &Former, end: Option<SeenEnd>, presence: Presence, kills: &Kills) -> (EndCause, Confidence) {
    let end = former.end(&Seen { here: &here(), now: NOW, kills, end, presence });
    assert!(!end.evidence.is_empty());
    (end.cause, end.confidence)
}

/// As many as [`buried`] had seen, and that many more.
fn kills(in_group: i64, on_machine: i64) -> Kills {
    Kills { group: Some("/archonctl".into()), in_group: Some(in_group), on_machine: Some(10 + on_machine) }
}

#[test]
fn its_own_word_counts_whatever_else_is_seen() {
    for cause in [EndCause::Clean, EndCause::Interrupt, EndCause::Panic] {
        let former = Former { end_cause: Some(cause.into()), kernel_boot: Some("k0".into()), ..buried() };
        assert_eq!(end(&former, Some(SeenEnd::Signal(9)), Presence::Gone, &kills(1, 1)), (cause, Confidence::Certain));
    }
}

#[test]
fn one_that_has_not_ended_runs_or_is_frozen() {
    let alive = Former { ended_at: None, end_cause: None, heartbeat_at: NOW.minus(Duration::from_secs(5)), ..buried() };
    let silent = Former { heartbeat_at: NOW.minus(Duration::from_secs(30)), ..alive.clone() };
    let of = |former, presence| end(former, None, presence, &kills(0, 0));
    let there = |is_stopped| Presence::There { is_stopped };
    assert_eq!(of(&alive, there(false)), (EndCause::Running, Confidence::Certain));
    assert_eq!(of(&alive, there(true)), (EndCause::Frozen, Confidence::Certain));
    assert_eq!(of(&silent, there(false)), (EndCause::Frozen, Confidence::Likely));
    assert_eq!(of(&alive, Presence::Unknown), (EndCause::Running, Confidence::Likely), "elsewhere");
    assert_eq!(of(&buried(), there(true)), (EndCause::Frozen, Confidence::Certain), "others took it for dead");
}

#[test]
fn the_kernels_kills_since_its_last_heartbeat_are_want_of_memory() {
    let of = |former: &Former, kills: &Kills| end(former, Some(SeenEnd::Signal(9)), Presence::Gone, kills);
    assert_eq!(of(&buried(), &kills(1, 1)), (EndCause::OutOfMemory, Confidence::Likely));
    assert_eq!(of(&buried(), &kills(0, 1)), (EndCause::Signal, Confidence::Certain), "somebody else was killed");
    let short = Former { memory_is_short: Some(true), ..buried() };
    assert_eq!(of(&short, &kills(0, 1)), (EndCause::OutOfMemory, Confidence::Possible));
    let full = Former { memory_limit_bytes: Some(100), memory_used_bytes: Some(81), ..buried() };
    assert_eq!(of(&full, &kills(0, 1)), (EndCause::OutOfMemory, Confidence::Possible));
    let another = Kills { group: Some("/another".into()), ..kills(5, 0) };
    assert_eq!(of(&buried(), &another), (EndCause::Signal, Confidence::Certain), "another group counts anew");
    assert_eq!(end(&buried(), Some(SeenEnd::Signal(15)), Presence::Gone, &kills(1, 1)).0, EndCause::Signal);
    let rebooted = Former { kernel_boot: Some("k0".into()), ..buried() };
    assert_eq!(end(&rebooted, None, Presence::Unknown, &kills(1, 1)).0, EndCause::Reboot);
}

#[test]
fn without_a_word_it_is_what_fits() {
    let of = |former: &Former, seen, presence| end(former, seen, presence, &kills(0, 0));
    assert_eq!(of(&buried(), None, Presence::Gone), (EndCause::Crash, Confidence::Likely));
    assert_eq!(of(&buried(), Some(SeenEnd::Exit(1)), Presence::Gone), (EndCause::Crash, Confidence::Certain));
    let elsewhere = Former { host: Some("web-2".into()), kernel_boot: Some("k2".into()), ..buried() };
    assert_eq!(of(&elsewhere, None, Presence::Unknown), (EndCause::Crash, Confidence::Possible));
    let rebooted = Former { kernel_boot: Some("k0".into()), ..buried() };
    assert_eq!(of(&rebooted, None, Presence::Unknown), (EndCause::Reboot, Confidence::Likely));
    let older = Former { kernel_boot: None, host: None, pid_started: None, ..buried() };
    assert_eq!(of(&older, None, Presence::Unknown), (EndCause::Crash, Confidence::Possible), "by an older program");
}
