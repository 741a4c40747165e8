//! The task that commits what is queued, batch after batch.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::outage::Work;
use super::workers::Breaker;
use super::writer::{Batch, Queued, Shared, Sink, withdraw};

/// Takes what waits, commits it, answers; until the queue's last sender is gone, or it is closed and empty.
///
/// It runs as a task beside those that wait. Woken by the first write of a batch, it lets every other task that is ready
/// go first: they add their writes, and the hop to the database is paid once for all of them.
pub(super) async fn run<S: Sink>(
    mut queue: mpsc::Receiver<Queued>,
    shared: Arc<Shared>,
    mut sink: S,
    breaker: Breaker,
) {
    let mut closing = pin!(shared.closing.cancelled());
    let (mut batch, mut closed) = (Batch::default(), false);
    loop {
        tokio::select! {
            biased;
            // The ends of sessions that nobody waited for do not wait for more.
            () = std::future::ready(()), if !batch.writes.is_empty() => {}
            taken = queue.recv_many(&mut batch.writes, S::MAX_BATCH) => if taken == 0 { return },
            () = &mut closing, if !closed => {
                closed = true;
                queue.close();
                continue;
            }
        }
        breaker.check();
        tokio::task::yield_now().await;
        while batch.writes.len() < S::MAX_BATCH {
            let Ok(queued) = queue.try_recv() else { break };
            batch.writes.push(queued);
        }
        shared.number(&mut batch);
        let began = shared.begin_batch();
        match write_until_it_holds(batch, &shared, &mut sink, began).await {
            Some(done) => batch = done,
            None => return,
        }
    }
}

/// A batch that the database cannot take now is kept and tried again: its rows belong to answers already given. `None` when
/// there is nobody any more who could write it, or the store is closed and the database does not take it.
async fn write_until_it_holds<S: Sink>(
    mut batch: Batch,
    shared: &Shared,
    sink: &mut S,
    began: Instant,
) -> Option<Batch> {
    let mut failures = 0;
    loop {
        withdraw(&mut batch, failures > 0);
        let (mut given_back, outcome) = sink.write(batch).await?;
        match outcome {
            Ok(outcomes) => {
                shared.finish(&mut given_back, outcomes, began);
                return Some(given_back);
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
