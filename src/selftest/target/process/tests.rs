//! Processes that are started and ended.

use super::*;

const SOON: Duration = Duration::from_secs(20);

fn shell(script: &str, log: &ServerLog) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Process::start(command, log).expect("sh starts")
}

fn is_alive(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie waits for init to bury it: it is dead.
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn until_dead(pid: &str) {
    let began = Instant::now();
    while is_alive(pid) {
        assert!(began.elapsed() < SOON, "{pid} lives on");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn a_drop_leaves_neither_child_nor_grandchild() {
    for script in [
        // Both alive; both deaf to SIGTERM; the parent gone, its child left to nobody.
        "sleep 600 & echo pid $!; wait",
        "trap '' TERM; sleep 600 & echo pid $!; wait",
        "sleep 600 & echo pid $!",
    ] {
        let log = ServerLog::default();
        let process = shell(script, &log);
        let line = log.wait_for(0, SOON, |line| line.starts_with("pid ")).await.expect("its child's number");
        let grandchild = line.trim_start_matches("pid ");
        assert!(is_alive(grandchild), "{script}");
        drop(process);
        until_dead(grandchild).await;
    }
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let log = ServerLog::default();
    let panicking = tokio::spawn({
        let log = log.clone();
        async move {
            let _process = shell("sleep 600 & echo pid $!; wait", &log);
            log.wait_for(0, SOON, |line| line.starts_with("pid ")).await.expect("its child's number");
            panic!("in the middle of a scenario");
        }
    });
    assert!(panicking.await.is_err(), "it panics");
    let line = log.wait_for(0, SOON, |line| line.starts_with("pid ")).await.expect("its child's number");
    until_dead(line.trim_start_matches("pid ")).await;
}

#[tokio::test]
async fn stops_by_signal_and_says_when_it_cannot() {
    let log = ServerLog::default();
    let process = shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", &log);
    log.wait_for(0, SOON, |line| line == "up").await.expect("up");
    process.stop(Signal::TERM, SOON).await.expect("stops");
    assert!(log.wait_for(0, SOON, |line| line == "bye").await.is_some());

    let log = ServerLog::default();
    let deaf = shell("trap '' TERM; echo up $$; while :; do sleep 0.01; done", &log);
    let line = log.wait_for(0, SOON, |line| line.starts_with("up")).await.expect("up");
    let refused = deaf.stop(Signal::TERM, Duration::from_millis(200)).await;
    assert_eq!(refused, Err("the server does not end within 200ms".to_owned()));
    until_dead(line.trim_start_matches("up ")).await;
}

#[tokio::test]
async fn what_outlives_it_is_told_and_killed() {
    let log = ServerLog::default();
    let process = shell("setsid sh -c 'echo pid $$; exec sleep 600' & wait", &log);
    let line = log.wait_for(0, SOON, |line| line.starts_with("pid ")).await.expect("its child's number");
    let told = process.stop(Signal::KILL, SOON).await.expect_err("it outlived it");
    assert!(told.contains("outlived it (pid "), "{told}");
    until_dead(line.trim_start_matches("pid ")).await;
}

#[tokio::test]
async fn endless_output_is_kept_within_bounds() {
    let log = ServerLog::default();
    let process =
        shell("yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | head -n 60000; printf y%.0s $(seq 20000); echo; echo end", &log);
    assert!(log.wait_for(0, SOON, |line| line == "end").await.is_some());
    assert!(log.len() <= MAX_LINES);
    assert!(log.tail(5).iter().all(|line| line.len() as u64 <= MAX_LINE));
    drop(process);
}
