//! The task that commits what is queued, batch after batch.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::aside::Aside;
use super::batch::{Batch, Queued, Sink, withdraw};
use super::shared::Shared;
use crate::store::backend::{Breaker, Work};

/// Takes what waits, commits it, answers; until the queue's last sender is gone, or it is closed and empty.
///
/// It runs as a task beside those that wait. Woken by the first write of a batch, it lets every other task that is ready
/// go first: they add their writes, and the hop to the database is paid once for all of them.
pub(in crate::store) async fn run<S: Sink>(
    mut queue: mpsc::Receiver<Queued>,
    shared: Arc<Shared>,
    mut sink: S,
    breaker: Breaker,
) {
    let mut closing = pin!(shared.closing.cancelled());
    let (mut batch, mut aside, mut closed) = (Batch::default(), Aside::default(), false);
    // Those that wait aside and those in the queue take turns.
    let mut has_tried = false;
    let can_write = loop {
        let due = aside.due();
        let is_their_turn = !aside.is_empty() && (!has_tried || queue.is_empty());
        tokio::select! {
            biased;
            // The ends of sessions that nobody waited for do not wait for more.
            () = std::future::ready(()), if !batch.writes.is_empty() => {}
            () = async { tokio::time::sleep_until(due.into()).await }, if is_their_turn => {
                breaker.check();
                has_tried = true;
                let Some((ends, _)) = try_again(&mut aside, &shared, &mut sink).await else { break false };
                batch.writes.extend(ends);
                continue;
            }
            taken = queue.recv_many(&mut batch.writes, S::MAX_BATCH) => if taken == 0 { break true },
            () = &mut closing, if !closed => {
                closed = true;
                queue.close();
                continue;
            }
        }
        breaker.check();
        has_tried = false;
        tokio::task::yield_now().await;
        while batch.writes.len() < S::MAX_BATCH {
            let Ok(queued) = queue.try_recv() else { break };
            batch.writes.push(queued);
        }
        for queued in aside.take_from(&mut batch.writes) {
            shared.refuse(queued, "too much waits for rows that somebody holds");
        }
        if batch.writes.is_empty() {
            continue;
        }
        let Some((done, held)) = write_until_it_holds(batch, &shared, &mut sink).await else { break false };
        batch = done;
        if !held.is_empty() {
            aside.put(held);
            shared.held.note_held(Work::Rows, aside.any().as_deref());
        }
    };
    if can_write {
        try_all_again(&mut aside, &shared, &mut sink).await;
    }
    // What does not find its way now is counted.
    for queued in aside.all() {
        shared.refuse(queued, "somebody holds rows that it needs");
    }
}

/// Once more, at the end.
async fn try_all_again<S: Sink>(aside: &mut Aside, shared: &Shared, sink: &mut S) {
    let mut is_over = aside.is_empty();
    while !is_over {
        is_over = try_again(aside, shared, sink).await.is_none_or(|(_, is_over)| is_over);
    }
}

/// Tries what waits for rows that somebody holds. Returns the ends of sessions that are to be written next, and whether all
/// were tried that wait; `None` as [`write_until_it_holds`].
async fn try_again<S: Sink>(aside: &mut Aside, shared: &Shared, sink: &mut S) -> Option<(Vec<Queued>, bool)> {
    let batch = Batch { writes: aside.first(), is_held: true, ..Batch::default() };
    let (done, held) = write_until_it_holds(batch, shared, sink).await?;
    let is_over = aside.tried(held);
    if aside.is_empty() {
        shared.held.note_free(Work::Rows);
    } else if is_over {
        shared.held.note_held(Work::Rows, aside.any().as_deref());
    }
    Some((done.writes, is_over))
}

/// A batch that the database cannot take now is kept and tried again: its rows belong to answers already given. `None` when
/// there is nobody any more who could write it, or the store is closed and the database does not take it. Else what is to
/// be written next, and what somebody holds rows of.
async fn write_until_it_holds<S: Sink>(
    mut batch: Batch,
    shared: &Shared,
    sink: &mut S,
) -> Option<(Batch, Vec<Queued>)> {
    shared.number(&mut batch);
    let (began, mut failures) = (shared.begin_batch(), 0);
    loop {
        withdraw(&mut batch, failures > 0);
        let (mut given_back, outcome) = sink.write(batch).await?;
        match outcome {
            Ok(outcomes) => {
                let held = shared.finish(&mut given_back, outcomes, began);
                given_back.is_held = false;
                return Some((given_back, held));
            }
            Err(error) => shared.outage.note(Work::Rows, Err(&error)),
        }
        batch = given_back;
        shared.closing.run_until_cancelled(tokio::time::sleep(retry_delay(failures))).await?;
        failures += 1;
    }
}

/// How long to wait before trying a failed batch again.
fn retry_delay(failures: u32) -> Duration {
    Duration::from_millis(20u64.saturating_mul(1 << failures.min(6)).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_slow_down_to_once_a_second() {
        let delays: Vec<_> = (0..8).map(|n| retry_delay(n).as_millis()).collect();
        assert_eq!(delays, [20, 40, 80, 160, 320, 640, 1000, 1000]);
    }
}
