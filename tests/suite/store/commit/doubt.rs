//! What is written whose commit gives no answer is made once, and called what it is.

use archonctl::store::boots::{Cause, Lost};
use archonctl::store::projects::{ChangeError, ProjectTexts};
use archonctl::store::sessions::CreditRule;

use super::*;

/// PostgreSQL runs this at the commit, and not before: a commit that does what `at_commit` says, the first time.
fn trouble(at_commit: &str) -> String {
    format!(
        "CREATE SEQUENCE times;
         CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('times') = 1 THEN {at_commit}; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER trouble AFTER INSERT OR UPDATE OR DELETE ON archon_projects
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trouble();"
    )
}

const LOST: &str = "PERFORM pg_terminate_backend(pg_backend_pid())";
const TITLE: ProjectTexts<'_> = ProjectTexts { title: Some("once"), description: None, github_repo: None };

async fn opened() -> Option<(Database, Store)> {
    let db = Database::postgres()?;
    let store = open(&db, Role::Server).await.expect("open");
    Some((db, store))
}

fn again(db: &Database) {
    db.rows("ALTER SEQUENCE times RESTART");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_commit_was_lost_is_made_once() {
    let Some((db, store)) = opened().await else { return };
    db.rows(&trouble(LOST));
    let id = Uuid::new_v4();
    let made = store.create_project(id, TITLE, NOON).await.expect("made");
    assert_eq!((made.head.id, made.head.title.as_str(), count(&db, "archon_projects")), (id, "once", 1));
    again(&db);
    let texts = ProjectTexts { title: None, description: Some("d"), github_repo: None };
    let updated = store.update_project(id, texts, NOON).await.expect("updated").expect("there");
    assert_eq!((updated.head.title.as_str(), updated.head.description.as_str()), ("once", "d"));
    again(&db);
    assert!(store.archive_project(id, Some("ana"), NOON).await.expect("archived"));
    again(&db);
    assert!(store.unarchive_project(id, NOON).await.expect("back"));
    again(&db);
    assert!(store.delete_project(id).await.expect("deleted"));
    assert_eq!(count(&db, "archon_projects"), 0);
}

/// The commit comes through after we have given up waiting for it: the second try waits for it, and finds it made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_late_is_no_second_project() {
    let Some((db, store)) = opened().await else { return };
    db.rows(&trouble("PERFORM pg_sleep(11.5)"));
    let made = store.create_project(Uuid::new_v4(), TITLE, NOON).await.expect("made");
    assert_eq!((made.head.title.as_str(), count(&db, "archon_projects")), ("once", 1));
}

/// Nobody can tell: it is neither called made nor failed, and then it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_answers_is_in_doubt() {
    let Some((db, store)) = opened().await else { return };
    db.rows(&trouble("PERFORM pg_sleep(16)"));
    let made = store.create_project(Uuid::new_v4(), TITLE, NOON).await;
    assert!(matches!(made, Err(ChangeError::InDoubt(_))), "{made:?}");
    let began = std::time::Instant::now();
    while count(&db, "archon_projects") == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "it was broken off after all");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What failed before its commit was not made, and is not tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_before_its_commit_is_unchanged() {
    let Some((db, store)) = opened().await else { return };
    db.rows(&trouble(LOST).replace("DEFERRABLE INITIALLY DEFERRED", ""));
    let made = store.create_project(Uuid::new_v4(), TITLE, NOON).await;
    assert!(matches!(made, Err(ChangeError::Unchanged(_))), "{made:?}");
    assert_eq!((count(&db, "archon_projects"), db.value("SELECT last_value FROM times").as_str()), (0, "1"));
}

/// An outage is recorded between the try whose commit was lost and the one that is made again: the row tells up to which
/// outage the end of its time goes, so it has that one coming, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_stored_at_the_second_try_gets_the_outage_between() {
    let Some((db, store)) = opened().await else { return };
    begin_boot(&store, NOON).await;
    store_all(&store, [opens(protocol(1))]).await;
    // The first commit takes a while, and is lost.
    let lost = format!("PERFORM pg_sleep(1); {LOST}");
    db.rows(
        &trouble(&lost)
            .replace("archon_projects", "archon_mcp_sessions")
            .replace("INSERT OR UPDATE OR DELETE", "INSERT"),
    );
    let created = store.writer().submit(creates(archon(1)));
    let credit_ms = 600_000;
    let away = Lost { began: NOON, ended: NOON.plus(minutes(10)), credit_ms, cause: Cause::Database };
    store.record_lost(1, 0, away).await.expect("recorded");
    assert_eq!(count(&db, "archon_mcp_sessions"), 0, "not yet");
    assert_eq!(created.within(SOON).await, Commit::Done);
    assert_eq!(db.value("SELECT last_value FROM times"), "2", "it was written twice");
    let credits = store.credits().await.expect("credits");
    for _ in 0..2 {
        let rule = CreditRule { until: NOON.plus(PROTOCOL_TIMEOUT), from: Timestamp::from_millis(0), limit: 10 };
        store.credit_sessions(&credits, rule).await.expect("a chunk");
        let life = store.archon_session(ids(1).1).await.expect("an answer").expect("a session").life;
        assert_eq!(life.expires_at, Some(NOON.plus(TIMEOUT).plus(minutes(10))));
        assert_eq!(life.credited, Some(credits.latest()));
    }
}
