//! Behind a transaction pooler every statement stands in a transaction: one that nobody waits for any more must not keep a
//! connection of the pooler's.

use std::time::Duration;

use archonctl::store::{Location, OpenOptions, Role, Store};
use futures_util::poll;
use tokio::time::{sleep, timeout};

use super::pooler::Pooler;
use crate::databases::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_given_up_leaves_no_transaction_open() {
    let Some(db) = Database::postgres() else { return };
    let pooler = Pooler::before(&db);
    let location = Location::parse(&pooler.url(&db)).expect("a URL");
    let store = Store::open(&OpenOptions { location, role: Role::Server, sync_full: false }).await.expect("open");
    for polls in 1..=30 {
        let mut read = Box::pin(store.protocol_session("unknown"));
        for _ in 0..polls {
            if poll!(&mut read).is_ready() {
                break;
            }
            sleep(Duration::from_micros(300)).await;
        }
    }
    let open = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                AND state LIKE 'idle in transaction%'";
    let closed = async {
        while db.value(open) != "0" {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(3), closed).await.expect("a transaction was left open");
    assert!(store.protocol_session("unknown").await.expect("an answer").is_none());
}
