//! What commands leave in the state folder: for its owner alone, under any umask, whichever command comes first.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use archonctl::cli::exit;

use crate::databases::Database;
use crate::process::{ServeProcess, archonctl};
use crate::terminal::show_typed;

/// `archonctl ARGS` under that umask.
fn under(umask: &str, home: &Path, args: &[&str]) -> Command {
    let program = archonctl(home);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(program.get_program()).args(args);
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

/// Chooses another screen than the first, which is remembered, and leaves.
fn look(umask: &str, home: &Path, db: &Database) {
    let shown = show_typed(under(umask, home, &["dashboard", "--database-url", db.url()]), 100, "2q");
    assert!(shown.status.success(), "{}", shown.text);
}

fn run(umask: &str, home: &Path, args: &[&str]) {
    let output = under(umask, home, args).stdin(Stdio::null()).output().expect("it ran");
    assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The modes of all that is in a folder which others may read, write or enter.
fn open_to_others(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, metadata) = (entry.path(), entry.metadata().expect("there"));
        let (mode, wanted) = (metadata.permissions().mode() & 0o777, if metadata.is_dir() { 0o700 } else { 0o600 });
        if mode != wanted {
            found.push(format!("{} {mode:04o}", path.display()));
        }
        if metadata.is_dir() {
            open_to_others(&path, found);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_its_owners_alone() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    for umask in ["000", "022", "177"] {
        for first in 0..3 {
            let home = tempfile::tempdir().expect("a folder");
            for command in 0..3 {
                match (first + command) % 3 {
                    0 => look(umask, home.path(), &db),
                    1 => run(umask, home.path(), &["init", server.url()]),
                    _ => run(umask, home.path(), &["serve", "--stdio"]),
                }
                let mut found = Vec::new();
                open_to_others(home.path(), &mut found);
                assert!(found.is_empty(), "umask {umask}, {first}, {command}: {found:?}");
            }
            let state = home.path().join(".local/state/archonctl");
            for name in ["dashboard.json", "sessions.json", "archon.db", "sockets"] {
                assert!(state.join(name).exists(), "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboards_choices_go_through_no_link() {
    let db = Database::sqlite();
    let _server = ServeProcess::start(&db, &[]).await;
    let home = tempfile::tempdir().expect("a folder");
    let state = home.path().join(".local/state/archonctl");
    std::fs::create_dir_all(&state).expect("made");
    std::fs::write(home.path().join("precious"), "precious").expect("written");
    for name in ["dashboard.new", "dashboard.json"] {
        symlink(home.path().join("precious"), state.join(name)).expect("a link");
    }
    look("022", home.path(), &db);
    assert_eq!(std::fs::read_to_string(home.path().join("precious")).expect("read"), "precious");
    let kept = std::fs::read_to_string(state.join("dashboard.json")).expect("read");
    assert!(kept.contains("requests"), "{kept}");
}
