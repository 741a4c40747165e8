//! The configuration file and the environment, over the real program: who wins, who is told, and what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use archonctl::cli::exit;
use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{archonctl, closed_pipe};

pub(crate) const FILE: &str = ".config/archonctl/config.toml";

/// A home with this configuration file.
pub(crate) fn home(file: &str) -> TempDir {
    let home = TempDir::new().expect("a temporary folder");
    fs::create_dir_all(home.path().join(".config/archonctl")).expect("a folder");
    fs::write(home.path().join(FILE), file).expect("written");
    home
}

pub(crate) fn run(home: &Path, variables: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::from_std(archonctl(home));
    command.envs(variables.iter().copied()).args(args).timeout(std::time::Duration::from_secs(30));
    command.output().expect("it ran")
}

/// What it says on standard error, given that it fails with that code.
fn told(output: &Output, code: u8) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(i32::from(code)), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    text
}

/// The settings as `config show … -o json` prints them.
fn settings(home: &Path, variables: &[(&str, &str)], args: &[&str]) -> Vec<Value> {
    let output = run(home, variables, &[&["config", "show", "-o", "json"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    document["settings"].as_array().expect("a list").clone()
}

fn setting(settings: &[Value], name: &str) -> (Value, String, Value) {
    let found = settings.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    (found["value"].clone(), found["origin"].as_str().expect("a word").to_owned(), found["place"].clone())
}

/// Each source in its rank, over two commands and with each subset of the sources. What a command really did is read off
/// its error: `serve` refuses each of these addresses by name, and nobody listens at these URLs.
#[test]
fn flag_before_environment_before_file_before_default() {
    struct Case {
        command: &'static [&'static str],
        flag: &'static str,
        variable: &'static str,
        code: u8,
        values: [&'static str; 3],
    }
    let cases = [
        Case {
            command: &["serve"],
            flag: "bind",
            variable: "ARCHONCTL_BIND",
            code: exit::USAGE,
            values: ["0.0.0.0:1", "0.0.0.0:2", "0.0.0.0:3"],
        },
        Case {
            command: &["call", "health_check", "--retries", "0"],
            flag: "url",
            variable: "ARCHONCTL_URL",
            code: exit::UNREACHABLE,
            values: ["http://127.0.0.1:1/flag", "http://127.0.0.1:1/env", "http://127.0.0.1:1/file"],
        },
        Case {
            command: &["serve"],
            flag: "database-url",
            variable: "DATABASE_URL",
            code: exit::USAGE,
            values: ["mysql://flag/a", "mysql://env/a", "mysql://file/a"],
        },
    ];
    for Case { command, flag, variable, code, values } in cases {
        let [of_flag, of_variable, of_file] = values;
        for sources in 1..8_u8 {
            let (flagged, in_environment, in_file) = (sources & 1 != 0, sources & 2 != 0, sources & 4 != 0);
            let home =
                home(&if in_file { format!("[{}]\n{flag} = \"{of_file}\"\n", command[0]) } else { String::new() });
            let given = format!("--{flag}={of_flag}");
            let args: Vec<&str> = command.iter().copied().chain(flagged.then_some(&*given)).collect();
            let variables = if in_environment { vec![(variable, of_variable)] } else { vec![] };
            let wins = if flagged {
                of_flag
            } else if in_environment {
                of_variable
            } else {
                of_file
            };
            let text = told(&run(home.path(), &variables, &args), code);
            for value in values {
                assert_eq!(text.contains(value), value == wins, "{flag} {sources:03b} {value}: {text}");
            }
        }
        let shown = settings(home("").path(), &[], &[command[0]]);
        assert_eq!(setting(&shown, flag).1, "default");
    }
}

#[test]
fn show_says_where_each_value_comes_from() {
    let home = home(
        "# mine\nclient-name = \"all\"\n\n[call]\nclient_name = \"near\"\n\n[serve]\nallow-host = [\"a\", \"b\"]\n",
    );
    let path = home.path().join(FILE).display().to_string();
    let variables = [
        ("ARCHONCTL_TIMEOUT", "7s"),
        ("ARCHONCTL_TRUST_PROXY", "yes"),
        ("ARCHONCTL_ALLOW_ORIGIN", "http://c,http://d"),
    ];
    let call = settings(home.path(), &variables, &["call", "--", "--client-version", "9"]);
    let word = |text: &str| Value::from(text);
    assert_eq!(setting(&call, "client-name"), (word("near"), "file".into(), word(&format!("{path}:5"))));
    assert_eq!(setting(&call, "timeout"), (word("7s"), "env".into(), word("ARCHONCTL_TIMEOUT")));
    assert_eq!(setting(&call, "client-version"), (word("9"), "flag".into(), Value::Null));
    assert_eq!(setting(&call, "client-token-file"), (Value::Null, "default".into(), Value::Null));
    let serve = settings(home.path(), &variables, &["serve"]);
    assert_eq!(setting(&serve, "allow-host").0, serde_json::json!(["a", "b"]));
    assert_eq!(setting(&serve, "allow-origin").0, serde_json::json!(["http://c", "http://d"]));
    assert_eq!(setting(&serve, "trust-proxy").0, word("true"));
    assert_eq!(setting(&serve, "session-timeout"), (word("1h"), "default".into(), Value::Null));
    let database = format!("sqlite://{}", home.path().join(".local/state/archonctl/archon.db").display());
    assert_eq!(setting(&serve, "database-url").0, word(&database));
    for name in ["test-tools", "head-time", "json", "args"] {
        assert!(serve.iter().chain(&call).all(|s| s["name"] != name), "{name}");
    }

    let table = run(home.path(), &variables, &["config", "show", "call", "--origin"]);
    let table = String::from_utf8(table.stdout).expect("text");
    assert!(
        table.contains("ORIGIN") && table.contains(&format!("file {path}:5")) && !table.contains('\u{1b}'),
        "{table}"
    );
    let plain = run(home.path(), &variables, &["config", "show", "call"]);
    assert!(!String::from_utf8_lossy(&plain.stdout).contains("ORIGIN"));
    let lines = run(home.path(), &[], &["config", "show", "-o", "jsonl"]).stdout;
    assert!(String::from_utf8(lines).expect("text").lines().count() > 20);
}

#[test]
fn passwords_are_shown_nowhere() {
    let home =
        home("database-url = \"postgres://ada:hunter2@127.0.0.1:1/a\"\nurl = \"http://ada:hunter2@127.0.0.1:1/mcp\"\n");
    for args in [
        &["config", "show"][..],
        &["config", "show", "--origin", "-o", "json"],
        &["config", "paths"],
        &["serve", "--help"],
        &["call", "--help"],
        &["serve"],
        &["call", "x", "--retries", "0"],
    ] {
        let output = run(home.path(), &[], args);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("hunter2") && !text.is_empty(), "{args:?}: {text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (file, line, words, hint) in [
        (
            "[serve]\nsession-timout = \"8h\"",
            2,
            "there is no setting `session-timout` in [serve]",
            "did you mean session-timeout?",
        ),
        ("\n[serv]\nbind = \"x\"", 2, "there is no command `serv`", "did you mean [serve]?"),
        ("bnd = 1", 1, "there is no setting `bnd` in the top of the file", "did you mean bind?"),
        ("[call]\nsession-timeout = \"8h\"", 2, "there is no setting `session-timeout` in [call]", "config show"),
        ("[serve]\nsession-timeout = \"soon\"", 2, "invalid value 'soon' for '--session-timeout <TIME>'", "--help"),
        ("[serve]\nbind = true", 2, "`bind` takes one value", "bind = \"value\""),
        ("[serve]\nbind = [\"a\"]", 2, "`bind` takes one value", "bind = \"value\""),
        ("[serve]\ntrust-proxy = \"on\"", 2, "`trust-proxy` takes true or false", "trust-proxy = true"),
        ("[serve]\nallow-host = [1.5, true]", 2, "`allow-host` takes texts", "allow-host = [\"one\", \"two\"]"),
        ("[serve]\nallow-host = [\"a\", \"*\"]", 2, "invalid value '*' for '--allow-host <HOST>'", "--help"),
        ("[serve]\nsync = \"half\"", 2, "invalid value 'half' for '--sync <LEVEL>'", "--help"),
        ("[serve]\ntest-tools = true", 2, "there is no setting `test-tools`", "config show"),
        ("[call]\nargs = \"{}\"", 2, "`args` is not a setting", "on the command line"),
        ("[call]\ntoken = \"hunter2\"", 2, "a token does not belong in this file", "client-token-file"),
        ("token-file = \"x\"", 1, "`token-file` is not for the top of the file", "[serve]"),
        ("[call]\ntoken-file = \"x\"", 2, "`token-file` is not for [call]", "client-token-file"),
        ("[call]\nclient_name = \"a\"\nclient-name = \"b\"", 3, "`client-name` is given twice", "once"),
        ("[serve]\nbind = \n", 2, "not TOML", "a line is"),
        ("[serve]\nbind = \"a\"\nbind = \"b\"\n", 3, "not TOML", "a line is"),
    ] {
        let home = home(file);
        // Wrong is wrong, whatever command reads it; and a flag does not make it right.
        for args in [&["serve", "--bind", "0.0.0.0:0"][..], &["call", "x"], &["config", "show"]] {
            let text = told(&run(home.path(), &[], args), exit::USAGE);
            let lines: Vec<_> = text.lines().collect();
            let place = format!("error: {}, line {line}: ", home.path().join(FILE).display());
            let [first, second] = lines[..] else { panic!("{file}: {text}") };
            assert!(first.starts_with(&place) && first.contains(words), "{file}: {text}");
            assert!(second.starts_with("hint: ") && second.contains(hint), "{file}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        // What does without the file, or helps to mend it, runs.
        for args in [&["--help"][..], &["serve", "--help"], &["config", "paths"], &["completions", "bash"], &["man"]] {
            let output = run(home.path(), &[], args);
            assert!(output.status.success(), "{file} {args:?}: {output:?}");
        }
    }
}

#[test]
fn another_file_is_named_and_has_to_be_there() {
    let home = home("[serve]\nbind = \"0.0.0.0:3\"\n");
    let named = |path: &str| run(home.path(), &[("ARCHONCTL_CONFIG", path)], &["serve"]);
    fs::write(home.path().join("other.toml"), "[serve]\nbind = \"0.0.0.0:4\"\n").expect("written");
    assert!(told(&named("other.toml"), exit::USAGE).contains("0.0.0.0:4 is open"));
    assert!(told(&named(""), exit::USAGE).contains("0.0.0.0:3 is open"));
    let text = told(&named("none.toml"), exit::USAGE);
    assert!(
        text.starts_with("error: cannot read the configuration file none.toml: ") && text.contains("\nhint: "),
        "{text}"
    );
    assert!(told(&named("."), exit::USAGE).contains("cannot read the configuration file ."));
    let shown = settings(home.path(), &[("ARCHONCTL_CONFIG", "/dev/null")], &["serve"]);
    assert_eq!(setting(&shown, "bind").1, "default");
    let elsewhere = home.path().join("xdg");
    fs::create_dir_all(elsewhere.join("archonctl")).expect("a folder");
    fs::write(elsewhere.join("archonctl/config.toml"), "[serve]\nbind = \"0.0.0.0:5\"\n").expect("written");
    let output = run(home.path(), &[("XDG_CONFIG_HOME", elsewhere.to_str().expect("text"))], &["serve"]);
    assert!(told(&output, exit::USAGE).contains("0.0.0.0:5 is open"));
}

#[test]
fn a_file_that_everybody_may_write_to_is_refused() {
    let home = home("[serve]\nbind = \"0.0.0.0:3\"\n");
    let mode = |mode| fs::set_permissions(home.path().join(FILE), fs::Permissions::from_mode(mode)).expect("changed");
    mode(0o666);
    let text = told(&run(home.path(), &[], &["serve"]), exit::USAGE);
    assert!(text.contains("everybody may write to") && text.contains("hint: chmod o-w "), "{text}");
    mode(0o664);
    assert!(told(&run(home.path(), &[], &["serve"]), exit::USAGE).contains("0.0.0.0:3 is open"));
}

#[test]
fn a_file_gives_what_a_command_asks_for() {
    let home = home("[serve]\nbind = \"0.0.0.0:3\"\ninsecure = true\ndatabase-url = \"mysql://file/a\"\n");
    assert!(told(&run(home.path(), &[], &["serve"]), exit::USAGE).contains("mysql://file/a"), "insecure is set");
    let output = run(home.path(), &[("ARCHONCTL_INSECURE", "no")], &["serve"]);
    assert!(told(&output, exit::USAGE).contains("0.0.0.0:3 is open"), "the environment takes it back");
    let output = run(home.path(), &[("ARCHONCTL_INSECURE", "maybe")], &["serve"]);
    assert!(told(&output, exit::USAGE).contains("invalid value 'maybe' for '--insecure'"));
}

#[test]
fn config_follows_the_rules_of_output() {
    let home = home("");
    for args in [&["config", "show", "--origin"][..], &["config", "paths"]] {
        for format in ["table", "json", "jsonl", "csv"] {
            let output = run(home.path(), &[("NO_COLOR", "1")], &[args, &["-o", format]].concat());
            assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{args:?} {format}");
            assert!(output.stderr.is_empty() && !output.stdout.is_empty(), "{args:?} {format}");
            assert!(!output.stdout.contains(&0x1b), "no colour off a terminal: {args:?} {format}");
        }
        assert_eq!(closed_pipe(home.path(), args), (Some(i32::from(exit::DONE)), String::new()), "{args:?}");
    }
    for args in
        [&["config"][..], &["config", "show", "no-such"], &["config", "show", "--", "x"], &["config", "paths", "x"]]
    {
        let output = run(home.path(), &[], args);
        assert!(!told(&output, exit::USAGE).is_empty(), "{args:?}");
    }
    let output = run(home.path(), &[], &["config", "show", "no-such", "--json"]);
    assert!(told(&output, exit::USAGE).starts_with("{\"error\":{\"code\":\"usage\""));
}
