//! On a terminal: the mouse, the clipboard, and a panic.

use std::time::Duration;

use archonctl::dashboard::{Options, run};
use archonctl::store::{Location, OpenOptions, Role};

use super::seed;
use super::tmux::{Tmux, dashboard, has_tmux};
use crate::databases::Database;

/// The line of the screen, counted from one, that holds the text.
fn line_of(screen: &str, text: &str) -> usize {
    screen.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}:\n{screen}")) + 1
}

/// The beginnings of the ids in the list, from above.
fn listed(screen: &str) -> Vec<String> {
    let head = line_of(screen, "SESSION");
    let rows = screen.lines().skip(head).take_while(|line| !line.trim().is_empty());
    rows.filter_map(|row| row.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn the_mouse_and_the_clipboard_do_what_they_do_elsewhere() {
    if !has_tmux() {
        return;
    }
    let db = Database::sqlite();
    seed(&db, 400, 2000);
    let tmux = Tmux::start(db.folder(), (120, 30));
    tmux.run(&["set-option", "-s", "set-clipboard", "on"]);
    tmux.wait_for("ready>");
    tmux.write(&dashboard(&db));
    tmux.press(&["Enter"]);
    let screen = tmux.wait("a list", |s| s.contains("SESSION") && s.contains("LAST TOOL"));
    let ids = listed(&screen);
    assert!(ids.len() > 10, "{screen}");

    // A head sorts, and once more the other way round.
    let head = line_of(&screen, "SESSION");
    let column = screen.lines().nth(head - 1).and_then(|line| line.find("CALLS")).expect("a head") + 2;
    tmux.click((column, head));
    tmux.wait_for("by calls ▾");
    tmux.click((column, head));
    tmux.wait_for("by calls ▴");
    // The wheel moves; a row is chosen by one click, its id goes to the clipboard, a second click opens it.
    let ids = listed(&tmux.screen());
    tmux.wheel_down();
    tmux.click((4, head + 3));
    tmux.press(&["y"]);
    tmux.wait_for(&format!("Copied {}", ids[2]));
    let copied = tmux.wait_for_buffer();
    assert!(copied.starts_with(&ids[2]) && copied.len() == 36, "{copied:?} is not the whole of {}", ids[2]);
    tmux.click((4, head + 3));
    tmux.wait_for(&format!("Session {copied}"));
    // And the name of a screen shows it.
    let screen = tmux.screen();
    let names = line_of(&screen, "1 Sessions");
    let tools = screen.lines().nth(names - 1).and_then(|line| line.find("3 Tools")).expect("its name") + 1;
    tmux.click((tools, names));
    tmux.wait("the tools", |s| s.contains("Tools in the last 24 hours: 5") && s.contains("24 HOURS"));
    tmux.write("q");
    tmux.wait_for_the_terminal();
}

#[test]
fn a_panic_gives_the_terminal_back() {
    if !has_tmux() {
        return;
    }
    let db = Database::sqlite();
    seed(&db, 20, 20);
    let tmux = Tmux::start(db.folder(), (180, 30));
    tmux.wait_for("ready>");
    let program = std::env::current_exe().expect("this program");
    let test = "--exact dashboard::hands::panics_when_it_is_told_to --ignored --nocapture --test-threads 1";
    tmux.write(&format!("URL={} STOP={} {} {test}", db.url(), db.folder().join("stop").display(), program.display()));
    tmux.press(&["Enter"]);
    tmux.wait_for("no server running");
    std::fs::write(db.folder().join("stop"), "").expect("written");
    let screen = tmux.wait("its last words", |s| s.contains("something that cannot be") && s.contains("test result"));
    assert!(!screen.contains("no server running"), "{screen}");
    tmux.wait_for_the_terminal();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is what the test above runs in a terminal"]
async fn panics_when_it_is_told_to() {
    let variable = |name| std::env::var(name).expect("only the test above runs this one");
    let (url, stop) = (variable("URL"), std::path::PathBuf::from(variable("STOP")));
    let options = Options {
        open: OpenOptions {
            location: Location::parse(&url).expect("a location"),
            role: Role::Reader,
            sync_full: false,
        },
        by: String::new(),
        preferences: None,
        colored: true,
        tab: None,
        interval: None,
        serve_hint: String::new(),
    };
    let panic = async {
        while !stop.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("something that cannot be");
    };
    run(options, panic).await.expect("a terminal");
}
