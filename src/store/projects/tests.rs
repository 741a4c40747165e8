use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::store::{Location, OpenOptions, Role};

const NOON: Timestamp = Timestamp::from_millis(1_768_046_400_000);

/// A store in a folder that goes with the test.
struct Fixture {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::SqliteFile(folder.path().join("archon.db"));
        let options = OpenOptions { location, role: Role::Server, sync_full: false };
        Self { store: Store::open(&options).await.expect("a store"), _folder: folder }
    }

    /// Makes a project, the later the higher `minute`.
    async fn add(&self, minute: u64, title: &str, description: &str) -> Uuid {
        let texts = ProjectTexts { title: Some(title), description: Some(description), github_repo: None };
        let now = NOON.plus(Duration::from_secs(60 * minute));
        self.store.create_project(Uuid::new_v4(), texts, now).await.expect("made").head.id
    }

    async fn titles(&self, text: &str, skip: i64, limit: i64) -> (Vec<String>, i64) {
        let page = self.store.projects(ProjectQuery { text, skip, limit }).await.expect("a page");
        (page.projects.into_iter().map(|p| p.title).collect(), page.total)
    }
}

#[tokio::test]
async fn a_project_lives_and_goes() {
    let f = Fixture::new().await;
    let id = f.add(0, "One", "first").await;
    let made = f.store.project(id).await.expect("read").expect("there");
    assert_eq!((made.head.title.as_str(), made.head.description.as_str()), ("One", "first"));
    assert_eq!((made.docs.as_str(), made.head.features.as_str(), made.data.as_str()), ("[]", "[]", "[]"));
    assert_eq!(made.head.times, Times { created_at: NOON, updated_at: NOON });

    let later = NOON.plus(Duration::from_secs(5));
    let texts = ProjectTexts { github_repo: Some("https://example.org/r"), ..ProjectTexts::default() };
    let changed = f.store.update_project(id, texts, later).await.expect("written").expect("there");
    assert_eq!(changed.head.github_repo.as_deref(), Some("https://example.org/r"));
    assert_eq!(changed.head.title, "One", "what is absent stays");
    assert_eq!(changed.head.times, Times { created_at: NOON, updated_at: later });

    assert!(f.store.delete_project(id).await.expect("written"));
    assert!(!f.store.delete_project(id).await.expect("written"));
    assert_eq!(f.store.project(id).await.expect("read"), None);
    assert_eq!(f.store.update_project(id, texts, later).await.expect("written"), None);
}

#[tokio::test]
async fn pages_are_counted_truly() {
    let f = Fixture::new().await;
    for n in 0..7 {
        f.add(n, &format!("P{n}"), "").await;
    }
    assert_eq!(f.titles("", 0, 3).await, (vec!["P6".into(), "P5".into(), "P4".into()], 7));
    assert_eq!(f.titles("", 6, 3).await, (vec!["P0".into()], 7));
    assert_eq!(f.titles("", 99, 3).await, (vec![], 7), "a page past the end still tells the total");
}

#[tokio::test]
async fn searches_title_and_description_for_the_very_text() {
    let f = Fixture::new().await;
    f.add(0, "Alpha", "all about SESSIONS").await;
    f.add(1, "100% done_now!", "").await;
    f.add(2, "1000 donexnow", "").await;
    assert_eq!(f.titles("sess", 0, 9).await, (vec!["Alpha".into()], 1));
    assert_eq!(f.titles("ALPHA", 0, 9).await, (vec!["Alpha".into()], 1));
    for wild in ["100%", "done_", "NOW!", "%"] {
        assert_eq!(f.titles(wild, 0, 9).await, (vec!["100% done_now!".into()], 1), "{wild}");
    }
    assert_eq!(f.titles("'; DROP TABLE archon_projects; --", 0, 9).await, (vec![], 0));
}

#[tokio::test]
async fn archived_projects_leave_the_lists_until_they_return() {
    let f = Fixture::new().await;
    let id = f.add(0, "Old", "").await;
    let (then, later) = (NOON.plus(Duration::from_secs(1)), NOON.plus(Duration::from_secs(2)));
    assert!(f.store.archive_project(id, Some("ana"), then).await.expect("written"));
    assert!(f.store.archive_project(id, Some("bob"), later).await.expect("written"));
    assert_eq!(f.titles("", 0, 9).await, (vec![], 0));
    let archiving = f.store.project(id).await.expect("read").expect("there by id").head.archiving;
    let first = Archiving { archived: true, archived_at: Some(then), archived_by: Some("ana".into()) };
    assert_eq!(archiving, first);
    assert!(f.store.unarchive_project(id, later).await.expect("written"));
    assert_eq!(f.titles("", 0, 9).await.1, 1);
    let gone = Uuid::new_v4();
    assert!(!f.store.archive_project(gone, None, later).await.expect("written"));
    assert!(!f.store.unarchive_project(gone, later).await.expect("written"));
}

#[tokio::test]
async fn texts_are_cleaned_and_bounded() {
    let f = Fixture::new().await;
    let id = f.add(0, &format!("a\0b{}", "x".repeat(900)), "c\0d").await;
    let head = f.store.project(id).await.expect("read").expect("there").head;
    assert!(head.title.starts_with("a\u{fffd}bx") && head.title.chars().count() == MAX_TITLE);
    assert_eq!(head.description, "c\u{fffd}d");
    assert_eq!(f.titles("\0", 0, 9).await.1, 1, "a NUL is searched for as what it became");
}
