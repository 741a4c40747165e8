//! Sessions are remembered, by several processes at once, and through no link.

use super::*;
use crate::model::timestamp::Timestamp;
use crate::protocol::initialize::Implementation;
use crate::protocol::revision::Revision;
use std::os::unix::fs::PermissionsExt;

fn session(id: &str, opened: i64) -> Remembered {
    Remembered {
        protocol_session_id: Some(id.to_owned()),
        archon_session_id: None,
        revision: Some("2025-11-25".to_owned()),
        server: Implementation::default(),
        opened_at: Timestamp::from_millis(opened),
        cookies: Vec::new(),
    }
}

fn id(found: Option<Remembered>) -> Option<String> {
    found.and_then(|s| s.protocol_session_id)
}

fn file(folder: &tempfile::TempDir) -> SessionFile {
    SessionFile::at(folder.path().join("state/sessions.json"))
}

#[test]
fn remembers_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder);
    assert_eq!(file.find("a").expect("nothing yet"), None);
    assert_eq!(file.remember("a", session("one", 1)).expect("remembered"), None);
    assert_eq!(id(file.remember("a", session("two", 2)).expect("remembered")).as_deref(), Some("one"));
    let found = file.find("a").expect("read").expect("remembered");
    assert_eq!(found, session("two", 2));
    assert_eq!(found.session().expect("a session").revision, Some(Revision::V2025_11_25));
    for (path, mode) in [(file.path.as_path(), 0o600), (&folder.path().join("state"), 0o700)] {
        let found = std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

#[test]
fn links_in_the_way_lead_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let file = SessionFile::at(at("sessions.json"));
    std::os::unix::fs::symlink(at("precious"), at("sessions.json.lock")).expect("a link");
    let refused = file.remember("a", session("one", 1)).expect_err("a link").to_string();
    assert!(refused.contains("sessions.json.lock: it is a symbolic link"), "{refused}");
    std::fs::remove_file(at("sessions.json.lock")).expect("removed");
    std::fs::write(at("precious"), "precious").expect("written");
    std::os::unix::fs::symlink(at("precious"), at("sessions.json.new")).expect("a link");
    file.remember("a", session("one", 1)).expect("remembered");
    assert_eq!(std::fs::read_to_string(at("precious")).expect("read"), "precious");
}

#[test]
fn another_programs_session_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder);
    assert!(!file.replace("a", Some("one"), session("two", 2)).expect("no such key"));
    file.remember("a", session("one", 1)).expect("remembered");
    assert!(file.replace("a", Some("one"), session("two", 2)).expect("replaced"));
    assert!(!file.replace("a", Some("one"), session("three", 3)).expect("another's"));
    assert!(!file.forget("a", Some("one")).expect("another's"));
    assert_eq!(id(file.find("a").expect("read")).as_deref(), Some("two"));
    assert!(file.forget("a", Some("two")).expect("forgotten"));
    assert_eq!(file.find("a").expect("read"), None);
}

#[test]
fn many_at_once_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let file = &file;
            scope.spawn(move || {
                for n in 0..10 {
                    file.remember(&format!("{thread}-{n}"), session("x", 1)).expect("remembered");
                    file.find("0-0").expect("whole at any time");
                }
            });
        }
    });
    assert_eq!(file.read().expect("read").sessions.len(), 80);
}

#[test]
fn the_oldest_are_forgotten() {
    let most = i64::try_from(MOST).expect("small");
    let mut sessions: BTreeMap<_, _> = (0..most).map(|n| (n.to_string(), session("x", n))).collect();
    sessions.insert("new".into(), session("x", most));
    forget_oldest(&mut sessions);
    assert_eq!((sessions.len(), sessions.contains_key("0"), sessions.contains_key("new")), (MOST, false, true));
}

#[test]
fn what_is_not_ours_is_named_and_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SessionFile::at(folder.path().join("sessions.json"));
    for (text, words) in [
        ("{", "does not hold remembered sessions"),
        ("[]", "does not hold remembered sessions"),
        (r#"{"version": 2, "sessions": []}"#, "a newer archonctl (version 2 of the file)"),
    ] {
        std::fs::write(&file.path, text).expect("written");
        let error = file.remember("a", session("x", 1)).expect_err("refused").to_string();
        assert!(error.contains(words) && error.contains("sessions.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&file.path).expect("still there"), text);
    }
    std::fs::remove_file(&file.path).expect("removed");
    std::fs::create_dir(&file.path).expect("a folder in its place");
    assert!(matches!(file.find("a"), Err(FileError::Io { .. })));
}
