//! The manual pages: one a command, with every flag and its variable, and nothing that groff stumbles over.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use archonctl::cli::exit;

use crate::help::commands;
use crate::process::archonctl;
use crate::process::closed_pipe;

fn man(home: &Path, args: &[&str]) -> Output {
    archonctl(home).arg("man").args(args).output().expect("it ran")
}

#[test]
fn each_command_has_a_page_with_all_its_flags() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = home.path().join("new/man1");
    let output = man(home.path(), &["--dir", folder.to_str().expect("text")]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let commands = commands();
    for (path, command) in &commands {
        let name = [&["archonctl".to_owned()], &path[..]].concat().join("-");
        let page = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(page.contains(&format!(".TH {name} 1 ")), "{name}");
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            let flag = format!("--{long}").replace('-', "\\-");
            assert_eq!(page.contains(&format!("\\fB{flag}\\fR")), !arg.is_hide_set(), "{name}: {flag}");
            let own = arg.get_env().filter(|_| !arg.is_hide_set()).map(|name| name.to_string_lossy().into_owned());
            assert!(own.is_none_or(|variable| page.contains(&variable)), "{name}: the variable of {flag}");
        }
        let words: Vec<_> = path.iter().map(String::as_str).collect();
        assert_eq!(String::from_utf8_lossy(&man(home.path(), &words).stdout), page, "printed as written");
        assert_eq!(page.contains(".SH EXAMPLES\n"), !path.is_empty(), "{name}");
        well_formed(&folder.join(format!("{name}.1")));
    }
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), commands.len());
    let serve = fs::read_to_string(folder.join("archonctl-serve.1")).expect("a page");
    assert!(serve.contains("ARCHONCTL_SESSION_TIMEOUT") && serve.contains("ARCHONCTL_ALLOW_HOST"));
}

/// Lets groff judge, where it is.
fn well_formed(page: &Path) {
    let page = page.to_str().expect("text");
    match Command::new("groff").args(["-K", "utf8", "-man", "-ww", "-z", page]).output() {
        Ok(output) => {
            let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && complaints.is_empty(), "{page}: {complaints}");
        }
        Err(_) => println!("no groff: {page} is not judged"),
    }
}

#[test]
fn a_page_says_nothing_of_this_machine() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let plain = man(home.path(), &["serve"]).stdout;
    fs::create_dir_all(home.path().join(".config/archonctl")).expect("a folder");
    fs::write(home.path().join(".config/archonctl/config.toml"), "[serve]\nbind = \"0.0.0.0:3\"\n").expect("written");
    let here = archonctl(home.path()).args(["man", "serve"]).env("ARCHONCTL_GRACE", "77s").output().expect("it ran");
    assert_eq!(String::from_utf8_lossy(&here.stdout), String::from_utf8_lossy(&plain));
}

#[test]
fn man_follows_the_rules_of_output() {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::write(home.path().join("file"), "").expect("written");
    for (args, words) in [
        (&["no-such"][..], "there is no command \"no-such\""),
        (&["serve", "--dir", "x"], "cannot be used with"),
        (&["--dir", "file/man1"], "cannot write the manual pages to file/man1"),
    ] {
        let output = man(home.path(), args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{args:?}: {errors}");
        assert!(
            output.stdout.is_empty() && errors.starts_with("error: ") && errors.contains(words),
            "{args:?}: {errors}"
        );
    }
    assert_eq!(closed_pipe(home.path(), &["man", "serve"]), (Some(i32::from(exit::DONE)), String::new()));
}
