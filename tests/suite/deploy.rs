//! The deployment files: what can be checked of them where no container engine and no systemd runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use archonctl::cli::Cli;
use clap::CommandFactory;
use serde_json::Value;

use crate::process::archonctl;

const UNIT: &str = include_str!("../../scripts/deploy/archonctl.service");
const SOCKET: &str = include_str!("../../scripts/deploy/archonctl.socket");
const DOCKERFILE: &str = include_str!("../../scripts/deploy/Dockerfile");
const IGNORE: &str = include_str!("../../scripts/deploy/Dockerfile.dockerignore");
const COMPOSE: &str = include_str!("../../scripts/deploy/compose.yaml");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The parser takes it.
fn parses(words: &[String]) {
    assert!(words[0].ends_with("archonctl"), "{words:?}");
    if let Err(error) = Cli::command().try_get_matches_from(words) {
        panic!("{words:?}: {error}");
    }
}

/// Every variable is one that `serve` knows, and has a value that it takes.
fn are_settings(variables: &BTreeMap<String, String>) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = archonctl(home.path());
    let output = command.envs(variables).args(["config", "show", "serve", "-o", "json"]).output().expect("it ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for name in variables.keys().filter(|name| !name.starts_with("XDG_")) {
        let used = document["settings"].as_array().expect("a list").iter().any(|s| s["place"] == **name);
        assert!(used, "no flag of serve has the variable {name}");
    }
}

/// The instructions of a Dockerfile, joined where they are continued.
fn instructions() -> Vec<(&'static str, String)> {
    let text: String =
        DOCKERFILE.lines().filter(|line| !line.starts_with('#')).fold(String::new(), |text, line| text + line + "\n");
    let text = text.replace("\\\n", " ");
    let parts = text.lines().filter_map(|line| line.split_once(' ')).map(|(word, rest)| {
        let word = ["FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"]
            .into_iter()
            .chain(["ENTRYPOINT", "CMD"])
            .find(|known| *known == word);
        (word.unwrap_or_else(|| panic!("no instruction: {rest}")), rest.trim().to_owned())
    });
    parts.collect()
}

fn all_of(word: &str) -> Vec<String> {
    instructions().into_iter().filter(|(one, _)| *one == word).map(|(_, rest)| rest).collect()
}

fn json_words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// An image by a version, not by what is newest today.
fn is_pinned(image: &str) {
    let tag = image.split_once(':').map_or("", |(_, tag)| tag);
    assert!(tag.starts_with(|c: char| c.is_ascii_digit()), "{image} is not pinned");
}

#[test]
fn the_image_is_made_of_what_is_there() {
    for from in all_of("FROM") {
        is_pinned(from.split(' ').next().unwrap_or_default());
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version");
    assert!(all_of("FROM")[0].starts_with(&format!("rust:{}-", version.trim_matches('"'))), "the compiler we ask for");

    // What is copied into the build is there, gets past the ignore file, and is all that cargo asks for.
    let folder = tempfile::tempdir().expect("a temporary folder");
    for copy in all_of("COPY").iter().filter(|copy| !copy.starts_with("--from")) {
        let words: Vec<_> = copy.split(' ').collect();
        let (target, sources) = words.split_last().expect("a target");
        for source in sources {
            assert!(root().join(source).exists(), "COPY {copy}");
            assert!(IGNORE.lines().any(|line| line == format!("!{source}")), "{source} is ignored");
            let target = if target.ends_with('/') { folder.path().join(source) } else { folder.path().join(target) };
            copy_all(&root().join(source), &target);
        }
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--locked", "--format-version=1"]).current_dir(folder.path());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let build = all_of("RUN").into_iter().find(|run| run.starts_with("cargo build")).expect("a build");
    let binary = build.split(' ').skip_while(|word| *word != "--bin").nth(1).expect("a binary");
    let installed = format!("/usr/local/bin/{binary}");
    let copied = format!("--from=build /src/target/release/{binary} {installed}");
    assert!(build.contains("--release") && build.contains("--locked") && all_of("COPY").contains(&copied));
}

fn copy_all(from: &PathBuf, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("copied");
        return;
    }
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        copy_all(&path, &to.join(path.file_name().expect("a name")));
    }
}

#[test]
fn the_image_runs_what_the_program_knows() {
    let (entry, command) = (json_words(&all_of("ENTRYPOINT")[0]), json_words(&all_of("CMD")[0]));
    parses(&[entry, command].concat());
    let health = all_of("HEALTHCHECK").remove(0);
    let (_, health) = health.split_once(" CMD ").expect("a command");
    parses(&json_words(health));
    let variables: BTreeMap<_, _> = all_of("ENV")[0]
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    are_settings(&variables);
    assert_ne!(all_of("USER"), ["root"], "somebody who may do little");
    // The default database is in the volume.
    let volume = format!("{}/archonctl", variables["XDG_STATE_HOME"]);
    assert_eq!(all_of("VOLUME"), [volume]);
    assert!(variables["ARCHONCTL_BIND"].ends_with(&format!(":{}", all_of("EXPOSE")[0])));
}

#[test]
fn the_services_know_each_other() {
    let compose: Value = serde_saphyr::from_str(COMPOSE).expect("YAML");
    let (server, database) = (&compose["services"]["server"], &compose["services"]["database"]);
    is_pinned(database["image"].as_str().expect("an image"));
    let context = root().join("scripts/deploy").join(server["build"]["context"].as_str().expect("a folder"));
    assert_eq!(context.canonicalize().expect("it is there"), root().canonicalize().expect("it is there"));
    assert!(context.join(server["build"]["dockerfile"].as_str().expect("a file")).is_file());
    assert_eq!(server["depends_on"]["database"]["condition"], "service_healthy");

    let test: Vec<String> = serde_json::from_value(server["healthcheck"]["test"].clone()).expect("words");
    assert_eq!(test[0], "CMD");
    parses(&test[1..]);
    let (_, in_image) =
        all_of("HEALTHCHECK")[0].split_once(" CMD ").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("one");
    assert_eq!(json_words(&in_image), test[1..], "the same as that of the image");

    let mut variables: BTreeMap<String, String> = serde_json::from_value(server["environment"].clone()).expect("texts");
    let url = variables.get_mut("DATABASE_URL").expect("a database");
    *url = url.replace("${POSTGRES_PASSWORD:?write it to .env}", "secret");
    let of_database = &database["environment"];
    let (user, name) = (of_database["POSTGRES_USER"].as_str(), of_database["POSTGRES_DB"].as_str());
    assert_eq!(*url, format!("postgres://{}:secret@database/{}", user.unwrap_or_default(), name.unwrap_or_default()));
    are_settings(&variables);
    let ready: Vec<String> = serde_json::from_value(database["healthcheck"]["test"].clone()).expect("words");
    assert!(ready.contains(&"--username=archon".into()) && ready.contains(&"--host=127.0.0.1".into()), "{ready:?}");

    // Open to this machine alone, as long as there are no tokens.
    let port = server["ports"][0].as_str().expect("a port");
    assert!(port.starts_with("127.0.0.1:") && port.ends_with(&format!(":{}", all_of("EXPOSE")[0])), "{port}");
    let volume = database["volumes"][0].as_str().and_then(|volume| volume.split(':').next()).expect("a volume");
    assert!(compose["volumes"].as_object().expect("volumes").contains_key(volume));
    for service in [server, database] {
        assert!(seconds(service["stop_grace_period"].as_str().expect("a time")) > grace(), "longer than --grace");
    }
}

#[test]
fn the_unit_starts_what_the_program_knows_and_waits_for_its_end() {
    let values = |key: &str| -> Vec<&str> {
        UNIT.lines().filter_map(|line| line.split_once('=')).filter(|(k, _)| *k == key).map(|(_, v)| v).collect()
    };
    parses(&values("ExecStart")[0].split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(values("KillSignal"), ["SIGTERM"]);
    // The server says when it is ready, and that it lives; whatever ends it, it is started again at once.
    assert_eq!((values("Type"), values("StartLimitIntervalSec")), (vec!["notify"], vec!["0"]));
    assert_eq!((values("Restart"), values("RestartSec")), (vec!["on-failure"], vec!["100ms"]));
    assert!(seconds(values("WatchdogSec")[0]) > 10, "a busy machine is no dead server");
    assert!(values("After")[0].contains("archonctl.socket"), "it gets the port that systemd holds");
    assert!(seconds(values("TimeoutStopSec")[0]) > grace(), "longer than --grace");
    let variables: BTreeMap<String, String> = values("Environment")[0]
        .split(' ')
        .filter_map(|p| p.split_once('='))
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    assert_eq!(variables["XDG_STATE_HOME"], "/var/lib", "where systemd makes the state directory");
    assert_eq!(values("StateDirectory"), ["archonctl"]);
    // Where the program looks, given these variables.
    let home = tempfile::tempdir().expect("a temporary folder");
    let output =
        archonctl(home.path()).envs(&variables).args(["config", "paths", "-o", "csv"]).output().expect("it ran");
    let paths = String::from_utf8(output.stdout).expect("text");
    assert!(
        paths.contains(",/etc/archonctl/config.toml,") && paths.contains(",/var/lib/archonctl/archon.db,"),
        "{paths}"
    );
    assert!(UNIT.contains("/etc/archonctl/config.toml") && UNIT.contains("/var/lib/archonctl/archon.db"));
}

#[test]
fn the_socket_is_where_the_server_would_listen() {
    let value = |key: &str| SOCKET.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect("a value");
    assert_eq!(value("ListenStream"), default_of("bind"));
    let backlog: u32 = value("Backlog").parse().expect("a number");
    assert!(backlog >= 1024, "no connection is refused");
}

/// systemd's own opinion, where it is: of each line of the units, with a program that is there.
#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = folder.path().join("archonctl.service");
    let there = UNIT.replace("/usr/local/bin/archonctl", env!("CARGO_BIN_EXE_archonctl"));
    // Pages that are not installed here cannot be found.
    let there: String =
        there.lines().filter(|l| !l.starts_with("Documentation=")).fold(String::new(), |text, l| text + l + "\n");
    fs::write(&unit, there).expect("written");
    let socket = folder.path().join("archonctl.socket");
    fs::write(&socket, SOCKET.replace("Documentation=", "#")).expect("written");
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args([&unit, &socket])
        .output();
    let Ok(output) = verify else {
        println!("skipped: no systemd");
        return;
    };
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<_> = complaints.lines().filter(|line| line.contains("archonctl.")).collect();
    assert!(ours.is_empty(), "{complaints}");
}

/// What `serve` lets running calls have by default.
fn grace() -> u64 {
    seconds(&default_of("grace"))
}

fn default_of(flag: &str) -> String {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").expect("a server");
    let found = serve.get_arguments().find(|arg| arg.get_long() == Some(flag)).expect("a flag");
    found.get_default_values()[0].to_str().expect("text").to_owned()
}

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text} is not a time"))
}
