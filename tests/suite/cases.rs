//! `scripts/cases.sh`: what counts as a case, and what it fails on.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const RIGHT: &str = "print('ok: as it should be')\n";
const WRONG: &str = "import sys\nprint('WRONG: it is not'); sys.exit(1)\n";
const NOT_TRIED: &str = "import sys\nprint('not tried: no such thing here'); sys.exit(2)\n";

/// A folder of cases, and a list.
struct Cases {
    folder: TempDir,
}

impl Cases {
    fn new(files: &[(&str, &str)], known: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("cases")).expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join("cases").join(name), text).expect("a file");
        }
        fs::write(folder.path().join("known"), known).expect("a list");
        Self { folder }
    }

    fn run_in(&self, folder: &str, environment: &[(&str, &str)]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cases.sh");
        let built = Path::new(env!("CARGO_BIN_EXE_archonctl")).parent().and_then(Path::parent).expect("a folder");
        let mut command = Command::new(script);
        command.arg(self.folder.path().join(folder)).arg(self.folder.path().join("known"));
        command.env("CARGO_TARGET_DIR", built).env_remove("CI").envs(environment.iter().copied());
        command.output().expect("it runs")
    }

    /// Its exit code, and what it says.
    fn run(&self, environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let output = self.run_in("cases", environment);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// The line about a case.
fn line<'a>(said: &'a str, name: &str) -> &'a str {
    said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}:\n{said}"))
}

#[test]
fn what_is_no_case_is_not_run() {
    let shell = "[ -x \"$1\" ] && echo 'ok: the program is there'\n";
    let files = [
        ("c1.py", "import helper\nhelper.done()\n"),
        ("c2.sh", shell),
        ("helper.py", "def done():\n    print('ok: helped')\n"),
        ("_notes.py", WRONG),
        ("run.sh", "exit 1\n"),
        ("README.md", "cases\n"),
    ];
    let cases = Cases::new(&files, "");
    fs::create_dir(cases.folder.path().join("cases/more")).expect("a folder");
    fs::write(cases.folder.path().join("cases/more/c3.py"), WRONG).expect("a file");
    let (code, said) = cases.run(&[("CI", "true")]);
    assert_eq!((code, said.lines().last()), (Some(0), Some("2 cases, 0 to look at")), "{said}");
    assert!(line(&said, "c1.py").contains("ok: helped") && line(&said, "c2.sh").contains("the program is there"));
}

#[test]
fn a_case_that_is_wrong_is_a_failure_unless_it_is_listed() {
    let files = [("right.py", RIGHT), ("wrong.py", WRONG), ("breaks.py", "raise ValueError('its own fault')\n")];
    let (code, said) = Cases::new(&files, "").run(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "wrong.py").contains("WRONG") && line(&said, "breaks.py").contains("its own fault"), "{said}");
    assert!(said.ends_with("3 cases, 2 to look at\n"), "{said}");
    let (code, said) = Cases::new(&files, "# why\nwrong.py  not yet\nbreaks.py  not yet\nelsewhere.py\n").run(&[]);
    assert_eq!(code, Some(0), "{said}");
    // A name that begins like a listed one is not listed.
    let (code, said) = Cases::new(&[("wrong.py", WRONG)], "wrong.pyx not yet\nwrongXpy not yet\n").run(&[]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn a_case_that_is_right_although_listed_is_a_failure() {
    let (code, said) = Cases::new(&[("right.py", RIGHT)], "right.py  not yet\n").run(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "right.py").contains("RIGHT, but on the list"), "{said}");
}

#[test]
fn a_case_that_could_not_be_tried_is_a_failure_in_ci() {
    let files = [("later.py", NOT_TRIED)];
    for (environment, known, expected) in
        [(&[][..], "", 0), (&[("CI", "true")], "", 1), (&[("CI", "true")], "later.py  needs more", 0)]
    {
        let (code, said) = Cases::new(&files, known).run(environment);
        assert_eq!(code, Some(expected), "{environment:?} {known:?}: {said}");
    }
}

#[test]
fn a_case_without_an_end_is_a_failure_in_time() {
    let files = [("hangs.py", "import time\ntime.sleep(600)\n"), ("right.py", RIGHT)];
    let began = std::time::Instant::now();
    let (code, said) = Cases::new(&files, "hangs.py  not yet\n").run(&[("CASES_SECONDS", "3")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "hangs.py").contains("OUT OF TIME"), "{said}");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

#[test]
fn without_cases_nothing_is_proved() {
    let cases = Cases::new(&[("README.md", "none")], "");
    assert_eq!(cases.run(&[]).0, Some(1), "no case");
    let output = cases.run_in("elsewhere", &[]);
    assert_eq!(output.status.code(), Some(1), "no folder");
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no folder of cases at"));
}
