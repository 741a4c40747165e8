//! Databases that this program cannot work with: it says so, and changes nothing.

use crate::databases::{Database, on_every_database};
use crate::process::archonctl;

on_every_database!(a_newer_database_is_refused_in_clear_words, |db| async {
    let migrated =
        archonctl(db.folder()).args(["db", "migrate", "--database-url", db.url()]).output().expect("it runs");
    assert!(migrated.status.success());
    db.rows("UPDATE archonctl_meta SET value = '7.8.9' WHERE key = 'oldest_program'");
    for command in [&["serve", "--bind", "127.0.0.1:0"][..], &["list"], &["expire", "--all"], &["db", "migrate"]] {
        let output = archonctl(db.folder()).args(command).env("DATABASE_URL", db.url()).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {told}");
        let words = ["made by a newer archonctl", "needs version 7.8.9", "nothing was changed", "install that version"];
        assert!(words.iter().all(|words| told.contains(words)), "{command:?}: {told}");
    }
});

/// Not every text could be stored, and what was stored not always read.
#[test]
fn a_postgres_that_is_not_utf8_is_refused() {
    let Some(utf8) = Database::postgres() else { return };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("archonctl_{}", uuid::Uuid::new_v4().simple());
        utf8.rows(&format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        ));
        let mut url = reqwest::Url::parse(utf8.url()).expect("a URL");
        url.set_path(&name);
        for command in [&["serve", "--bind", "127.0.0.1:0"][..], &["db", "migrate"]] {
            let output =
                archonctl(utf8.folder()).args(command).env("DATABASE_URL", url.as_str()).output().expect("it runs");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command:?}: {told}");
            assert!(told.contains(&format!("has the encoding {encoding}")) && told.contains("needs UTF8"), "{told}");
        }
        utf8.rows(&format!("DROP DATABASE {name}"));
    }
}
