//! A change of a project whose commit gives no answer is made once, and called what it is.

use std::time::Duration;

use archonctl::store::projects::{ChangeError, ProjectTexts};
use archonctl::store::{Role, Store};
use uuid::Uuid;

use super::{NOON, count, open};
use crate::databases::Database;

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
