//! Rows that are committed after others with higher numbers show, too.

use sqlx::{Connection, Executor, PgConnection};

use super::run;
use super::tmux::{Tmux, dashboard, has_tmux};
use crate::databases::Database;

const ROW: &str = "INSERT INTO archon_mcp_requests (method, tool_name, timestamp, duration_ms, duration_us, status, boot, seq) \
     VALUES ('tools/call', '{tool}', now(), 1, 1000, 'success', 1, {seq})";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_a_late_number_shows() {
    let Some(db) = Database::postgres() else { return };
    if !has_tmux() {
        return;
    }
    assert!(run(&db, &["db", "migrate"]).status.success());
    let row = |tool: &str, seq: u32| ROW.replace("{tool}", tool).replace("{seq}", &seq.to_string());
    db.rows(&row("came_first", 1));
    let tmux = Tmux::start(db.folder(), (140, 30));
    tmux.wait_for("ready>");
    tmux.write(&dashboard(&db));
    tmux.press(&["Enter"]);
    tmux.wait_for("1 Sessions");
    tmux.press(&["2"]);
    tmux.wait_for("came_first");
    let mut late = PgConnection::connect(db.url()).await.expect("connect");
    late.execute(sqlx::AssertSqlSafe(format!("BEGIN; {}", row("came_late", 2)))).await.expect("begun");
    db.rows(&row("overtook_it", 3));
    let screen = tmux.wait_for("overtook_it");
    assert!(!screen.contains("came_late"), "{screen}");
    late.execute("COMMIT").await.expect("committed");
    let screen = tmux.wait_for("came_late");
    assert_eq!(screen.matches("overtook_it").count(), 1, "none twice:\n{screen}");
}
