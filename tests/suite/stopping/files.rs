//! One server for one SQLite file, by whatever name; and files that are taken away under a running one.

use std::path::PathBuf;

use super::*;
use crate::process::archonctl;

fn at(db: &Database, name: &str) -> PathBuf {
    db.folder().join(name)
}

#[tokio::test]
async fn a_second_server_is_refused_whatever_the_file_is_called() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    std::os::unix::fs::symlink(at(&db, "archon.db"), at(&db, "symbolic.db")).expect("a link");
    std::fs::hard_link(at(&db, "archon.db"), at(&db, "hard.db")).expect("a link");
    for (name, lock_is_there) in [("archon.db", true), ("symbolic.db", true), ("hard.db", true), ("archon.db", false)] {
        if !lock_is_there {
            std::fs::remove_file(at(&db, "archon.db.lock")).expect("removed");
        }
        let url = format!("sqlite://{}", at(&db, name).display());
        let second = archonctl(db.folder())
            .args(["serve", "--bind", "127.0.0.1:0", "--database-url", &url])
            .output()
            .expect("ran");
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(&format!("pid {}", server.pid())) && said.contains("PostgreSQL"), "{name}: {said}");
    }
}

#[tokio::test]
async fn what_a_lock_file_leads_to_stays_as_it_is() {
    let db = Database::sqlite();
    std::fs::write(at(&db, "precious"), "words").expect("written");
    std::os::unix::fs::symlink(at(&db, "precious"), at(&db, "archon.db.lock")).expect("a link");
    let refused = archonctl(db.folder())
        .args(["serve", "--bind", "127.0.0.1:0", "--database-url", db.url()])
        .output()
        .expect("ran");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("archon.db.lock") && said.contains("symbolic link"), "{said}");
    assert_eq!(std::fs::read_to_string(at(&db, "precious")).expect("read"), "words");
}

/// The log, its index, or both, are removed or replaced: all that was acknowledged before and after is there after a kill.
#[tokio::test]
async fn a_log_that_is_removed_under_a_server_costs_nothing() {
    for (removed, replaced) in
        [(&["-wal"][..], false), (&["-shm"], false), (&["-wal", "-shm"], false), (&["-wal"], true)]
    {
        let db = Database::sqlite();
        let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
        let before = Mcp::new(server.url()).initialize(REVISION).await;
        let mut promised = u64::from(call(&before).await);
        for end in removed {
            let path = at(&db, &format!("archon.db{end}"));
            std::fs::remove_file(&path).expect("removed");
            if replaced {
                std::fs::write(&path, "").expect("written");
            }
        }
        server.wait_for_line("the database's log is there again", SOON).await;
        let after = Mcp::new(server.url()).initialize(REVISION).await;
        for _ in 0..10 {
            promised += u64::from(call(&after).await) + u64::from(call(&before).await);
        }
        assert!(promised > 10, "{removed:?}: {promised}");
        server.sigkill();
        let server = ServeProcess::start_at(server.address(), &db, &["--test-tools"]).await;
        assert!(rows(&db) >= promised, "{removed:?}: {} of {promised}", rows(&db));
        for session in [before, after] {
            assert!(call(&session.at(Mcp::new(server.url()))).await, "{removed:?}");
        }
        assert_eq!(db.value("PRAGMA integrity_check"), "ok");
    }
}

/// Under load, again and again.
#[tokio::test]
async fn a_log_that_is_removed_amid_calls_costs_no_promised_row() {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..4 {
        let (session, stop) = (Mcp::new(server.url()).initialize(REVISION).await, stop.clone());
        clients.push(tokio::spawn(async move {
            let mut promised = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                promised += u64::from(call(&session).await);
            }
            promised
        }));
    }
    for round in 1..=5 {
        std::fs::remove_file(at(&db, "archon.db-wal")).expect("removed");
        let again = || server.lines().iter().filter(|line| line.contains("log is there again")).count();
        let began = Instant::now();
        while again() < round {
            assert!(began.elapsed() < SOON, "round {round}:\n{}", server.lines().join("\n"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut promised = 0;
    for client in clients {
        promised += client.await.expect("a client");
    }
    server.sigkill();
    let _server = ServeProcess::start(&db, &[]).await;
    assert!(promised > 0 && rows(&db) >= promised, "{} of {promised}", rows(&db));
    assert_eq!(db.value("PRAGMA integrity_check"), "ok");
}

#[tokio::test]
async fn a_file_that_is_taken_away_is_noticed_without_a_write() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let ready = async || {
        let mut connection = Connection::open(server.address()).await.expect("a connection");
        connection.request("GET /readyz", &[], "").await.expect("sent");
        connection.answer().await.expect("an answer").status
    };
    assert_eq!(ready().await, 200);
    let until = async |wanted: u16, patience: Duration| {
        let began = Instant::now();
        while ready().await != wanted {
            assert!(began.elapsed() < patience, "not {wanted} within {patience:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    std::fs::rename(at(&db, "archon.db"), at(&db, "away")).expect("moved");
    // A second is what is promised; the rest is for a busy machine.
    until(503, Duration::from_secs(3)).await;
    std::fs::rename(at(&db, "away"), at(&db, "archon.db")).expect("moved back");
    until(200, SOON).await;
}
