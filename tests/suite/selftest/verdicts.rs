//! What a run comes to: exit codes, choices, reports for machines.

use archonctl::cli::exit;
use serde_json::json;

use super::{Bench, Run};

const GOOD: &str = "name = \"A kept promise\"\ntags = [\"quick\"]\n[[step]]\ninitialize = {}\n";
const BAD: &str = "name = \"A <broken> \\\"promise\\\" & more\"\n[[step]]\ninitialize = {}\n[[step]]\ncall.method = \"ping\"\nexpect.status = 404\n";
const ELSEWHERE: &str = "name = \"A promise of PostgreSQL\"\n[needs]\nown_server = true\nstore = true\ndatabase = \"postgres\"\n[[step]]\ninitialize = {}\n";

fn bench() -> Bench {
    let bench = Bench::new();
    for (name, text) in [("good.toml", GOOD), ("bad.toml", BAD), ("elsewhere.toml", ELSEWHERE)] {
        bench.file(name, text);
    }
    bench
}

#[track_caller]
fn assert_code(run: &Run, code: u8) {
    assert_eq!(run.code(), Some(i32::from(code)), "{run}");
}

#[tokio::test]
async fn the_exit_code_says_what_it_comes_to() {
    let bench = bench();
    bench.file("expected", "bad # for a reason\n");
    bench.file("stale", "good\nbad\n");
    bench.file("typo", "\nbda\n");
    for (args, code, told) in [
        (&["good.toml"][..], exit::DONE, "1 passed in"),
        (&["bad.toml"], exit::NO, "0 passed, 1 failed in"),
        (&["good.toml", "bad.toml"], exit::NO, "1 passed, 1 failed in"),
        (&["good.toml", "elsewhere.toml"], exit::DONE, "1 passed, 1 not applicable in"),
        (&["elsewhere.toml"], exit::NO, "no scenario was checked"),
        (&["good.toml", "bad.toml", "--expected-failures", "expected"], exit::DONE, "1 passed, 1 failed as expected"),
        (&["good.toml", "--expected-failures", "expected"], exit::DONE, "1 passed in"),
        (&["good.toml", "bad.toml", "--expected-failures", "stale"], exit::NO, "stale: good is expected to fail"),
        (&["good.toml", "--timeout", "1ms"], exit::NO, "0 passed, 1 failed"),
    ] {
        let run = bench.run(args).await;
        assert_code(&run, code);
        assert!(run.out().contains(told), "{args:?}: {run}");
    }
    for (args, told) in [
        (&["lifecycle", "--expected-failures", "typo"][..], "typo:2: there is no scenario \"bda\""),
        (&["no-such.toml"], "cannot read no-such.toml"),
        (&["recovery-aftr-sigkill"], "did you mean recovery-after-sigkill?"),
        (&["good.toml", "--tag", "quikc"], "did you mean quick?"),
        (&["--database-url", "sqlite:///tmp/x.db"], "selftest makes its SQLite databases itself"),
        (&["--server-cmd", "no-such-program-anywhere"], "there is no program \"no-such-program-anywhere\""),
        (&["--server-cmd", "'unclosed"], "is not a command"),
        (&["--url", "ftp://x"], "not ftp"),
    ] {
        let run = bench.run(args).await;
        assert_code(&run, exit::USAGE);
        assert!(run.err().contains(told), "{args:?}: {run}");
    }
    for (args, told) in [
        (&["--url", "http://127.0.0.1:1/mcp"][..], "no server answers at"),
        (&["--database-url", "postgres://nobody@127.0.0.1:1/none"], "nobody@127.0.0.1:1/none"),
        (&["--server-cmd", "sh -c 'echo out of luck; exit 3'"], "out of luck"),
    ] {
        let run = bench.run(args).await;
        assert_code(&run, exit::UNREACHABLE);
        assert!(run.err().contains(told), "{args:?}: {run}");
    }
    bench.until_nothing_is_left().await;
}

#[tokio::test]
async fn scenarios_are_chosen() {
    let bench = bench();
    let listed = |run: &Run| {
        run.out().lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let run = bench.run(&["--list", "recovery-after-*"]).await;
    assert_eq!(listed(&run), ["recovery-after-sigkill", "recovery-after-sigterm"], "{run}");
    let run = bench.run(&["--list", "good.toml", "--tag", "quick", "lifecycle-2025-11-25"]).await;
    assert_eq!(listed(&run), ["good"], "{run}");
    let all = bench.run(&["--list", "--json"]).await;
    assert_eq!(all.events().len(), archonctl::selftest::builtin::SCENARIOS.len());
    assert_eq!(listed(&bench.run(&["--list", "--tag", "guide"]).await).len(), {
        let guide =
            all.events().into_iter().filter(|one| one["tags"].as_array().is_some_and(|t| t.contains(&json!("guide"))));
        guide.count()
    });
}

#[tokio::test]
async fn runs_are_repeated_shuffled_and_ended_early() {
    let bench = bench();
    let order = |run: &Run| -> Vec<String> {
        let finished = run.events().into_iter().filter(|event| event["event"] == "finished");
        finished.map(|event| format!("{}#{}", event["id"].as_str().unwrap_or_default(), event["round"])).collect()
    };
    let args = ["good.toml", "elsewhere.toml", "--repeat", "4", "--jobs", "1", "--json"];
    let straight = order(&bench.run(&args).await);
    assert_eq!(straight.len(), 8);
    let shuffled = [&args[..], &["--shuffle", "--seed", "5"]].concat();
    let first = bench.run(&shuffled).await;
    assert_eq!(first.events()[0]["seed"], 5);
    assert_ne!(order(&first), straight);
    assert_eq!(order(&first), order(&bench.run(&shuffled).await), "the seed gives the order");
    let run = bench.run(&["bad.toml", "good.toml", "--repeat", "2", "--jobs", "1", "--fail-fast", "--json"]).await;
    let verdicts: Vec<_> =
        run.events().into_iter().filter_map(|event| event["verdict"].as_str().map(str::to_owned)).collect();
    assert_eq!(verdicts, ["failed", "not_run", "not_run", "not_run"], "{run}");
    assert_code(&run, exit::NO);
}

#[tokio::test]
async fn machines_are_told() {
    let bench = bench();
    let args = ["good.toml", "bad.toml", "elsewhere.toml", "--jobs", "1", "--junit", "report.xml"];
    let run = bench.run(&[&args[..], &["--tap"]].concat()).await;
    let lines: Vec<_> = run.out().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(lines[..3], ["TAP version 14", "1..3", "ok 1 - good: A kept promise"], "{run}");
    assert!(lines[3].starts_with("not ok 2 - bad: ") && lines[4].contains("# SKIP it needs PostgreSQL"), "{run}");
    let xml = std::fs::read_to_string(bench.path().join("report.xml")).expect("a report");
    let report = junit::read(&xml);
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (3, 1, 0, 1), "{xml}");
    assert_eq!(report.names[1], "bad: A <broken> \"promise\" & more");
    let end = bench.run(&[&args[..3], &["--json"]].concat()).await.events().pop().expect("an end");
    assert_eq!((&end["event"], &end["good"], &end["passed"]), (&json!("ended"), &json!(false), &json!(1)), "{end}");
    assert_eq!(end["unexpected"], json!(["bad"]));
}

/// The common JUnit schema (that of Jenkins and GitLab), in our own words: which elements stand in which, with which
/// attributes, and that the counts are true.
pub(super) mod junit {
    use quick_xml::Reader;
    use quick_xml::events::{BytesStart, Event};

    /// What a report says.
    #[derive(Debug, Default)]
    pub(in super::super) struct Report {
        pub(in super::super) tests: usize,
        pub(in super::super) failures: usize,
        pub(in super::super) errors: usize,
        pub(in super::super) skipped: usize,
        pub(in super::super) names: Vec<String>,
    }

    /// Element, the one in which it may stand, attributes that it must have, those that it may have.
    const ELEMENTS: [(&str, &str, &[&str], &[&str]); 6] = [
        ("testsuites", "", &[], &["name", "tests", "failures", "errors", "skipped", "disabled", "time", "timestamp"]),
        (
            "testsuite",
            "testsuites",
            &["name", "tests"],
            &["failures", "errors", "skipped", "disabled", "time", "timestamp", "hostname", "id", "package"],
        ),
        ("testcase", "testsuite", &["name", "classname"], &["time", "assertions", "status"]),
        ("failure", "testcase", &[], &["message", "type"]),
        ("error", "testcase", &[], &["message", "type"]),
        ("skipped", "testcase", &[], &["message", "type"]),
    ];

    /// Reads a report.
    ///
    /// # Panics
    ///
    /// When it does not follow the schema, or its counts are not those of its cases.
    pub(in super::super) fn read(xml: &str) -> Report {
        let mut reader = Reader::from_str(xml);
        let (mut open, mut report, mut told) = (Vec::<String>::new(), Report::default(), Report::default());
        loop {
            match reader.read_event().unwrap_or_else(|e| panic!("{e}\n{xml}")) {
                Event::Start(element) => open.push(enter(&element, &open, &mut report, &mut told)),
                Event::Empty(element) => _ = enter(&element, &open, &mut report, &mut told),
                Event::End(_) => _ = open.pop(),
                Event::Text(text) => {
                    let within = open.last().map(String::as_str);
                    let content = text.decode().expect("UTF-8");
                    let may = matches!(within, Some("failure" | "error")) || content.trim().is_empty();
                    assert!(may, "text in {within:?}: {content}");
                }
                Event::Eof => break,
                Event::Decl(_) | Event::GeneralRef(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(open.is_empty(), "{open:?} is not closed");
        let counts = |r: &Report| (r.tests, r.failures, r.errors, r.skipped);
        assert_eq!(counts(&report), counts(&told), "{xml}");
        report
    }

    fn enter(element: &BytesStart<'_>, open: &[String], report: &mut Report, told: &mut Report) -> String {
        let name = String::from_utf8(element.name().as_ref().to_vec()).expect("a name");
        let known = ELEMENTS.iter().find(|(known, ..)| *known == name);
        let (_, parent, needed, allowed) = known.unwrap_or_else(|| panic!("there is no element {name}"));
        assert_eq!(open.last().map_or("", String::as_str), *parent, "{name} stands elsewhere");
        let attributes: Vec<(String, String)> = element
            .attributes()
            .map(|attribute| {
                let attribute = attribute.expect("an attribute");
                let key = String::from_utf8(attribute.key.as_ref().to_vec()).expect("a name");
                let raw = String::from_utf8(attribute.value.to_vec()).expect("UTF-8");
                (key, quick_xml::escape::unescape(&raw).expect("escaped").into_owned())
            })
            .collect();
        let value = |key: &str| attributes.iter().find(|(given, _)| given == key).map(|(_, value)| value.clone());
        for key in *needed {
            assert!(value(key).is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        for (key, _) in &attributes {
            assert!(needed.contains(&key.as_str()) || allowed.contains(&key.as_str()), "{name} may not have {key}");
        }
        if let Some(time) = value("time") {
            assert!(time.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0), "{name} takes {time}");
        }
        let count = |key: &str| value(key).unwrap_or_default().parse::<usize>().expect("a count");
        match name.as_str() {
            "testsuites" => {
                (told.tests, told.failures, told.errors) = (count("tests"), count("failures"), count("errors"));
            }
            "testsuite" => {
                assert_eq!((count("tests"), count("failures")), (told.tests, told.failures), "one suite");
                told.skipped = count("skipped");
            }
            "testcase" => {
                report.tests += 1;
                report.names.extend(value("name"));
            }
            "failure" => report.failures += 1,
            "error" => report.errors += 1,
            _ => report.skipped += 1,
        }
        name
    }
}
