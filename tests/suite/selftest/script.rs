//! The format: what is wrong with a file is told with its line and the nearest valid name, before anything runs.

use archonctl::selftest::script::{parse, schema};
use serde_json::Value;

use super::Bench;
use archonctl::cli::exit;

/// Needs of all kinds, and one session, so that a wrong step is the only thing that is wrong.
const HEAD: &str = "name = \"x\"\n[needs]\nown_server = true\nstore = true\n[[step]]\ninitialize = {}\n";

/// A file (or steps after [`HEAD`]), the line of what is wrong with it, what is said, and what is advised.
const WRONG: &[(&str, usize, &str, &str)] = &[
    // The file as a whole.
    ("name = \"x\"\nstep = []\n", 2, "there are no steps", ""),
    ("name = \" \"\n[[step]]\ninitialize = {}\n", 1, "the name is empty", ""),
    ("name = \"x\"\n", 1, "missing field `step`", ""),
    ("name = \"x\"\nnmae = \"y\"\n[[step]]\n", 2, "unknown field `nmae`", "did you mean name?"),
    ("name = 7\n[[step]]\n", 1, "expected a string", ""),
    ("name = \"x\n", 1, "invalid basic string", ""),
    ("name = \"x\"\n[needs]\nera = \"later\"\n[[step]]\n", 3, "unknown variant `later`", ""),
    ("name = \"x\"\n[needs]\nown_sever = true\n", 3, "unknown field `own_sever`", "did you mean own_server?"),
    ("name = \"x\"\ntimeout = \"soon\"\n[[step]]\n", 2, "\"soon\" is not a time", ""),
    // What the scenario needs.
    (
        "name = \"x\"\n[server]\nargs = [\"-x\"]\n[[step]]\ninitialize = {}\n",
        2,
        "[server] is for our own",
        "own_server",
    ),
    ("name = \"x\"\n[needs]\nown_server = true\n[server]\ncount = 2\n[[step]]\ninitialize = {}\n", 4, "PostgreSQL", ""),
    ("name = \"x\"\n[[step]]\nadvance = \"1h\"\n", 3, "advance needs own_server", "add own_server = true"),
    ("name = \"x\"\n[[step]]\nrestart = {}\n", 3, "restart needs restart", "add restart = true"),
    ("name = \"x\"\n[[step]]\nsql.query = \"SELECT 1\"\n", 3, "sql needs store", "add store = true"),
    // Steps.
    ("[[step]]\n", 7, "the step does nothing", "initialize, call"),
    ("[[step]]\ndelete = {}\nadvance = \"1h\"\n", 8, "the step does 2 things: delete, advance", ""),
    ("[[step]]\nintialize = {}\n", 8, "unknown field `intialize`", "did you mean initialize?"),
    ("[[step]]\ncall = { tol = \"x\" }\n", 8, "unknown field `tol`", "did you mean tool?"),
    ("[[step]]\ncall = {}\n", 8, "exactly one of method, tool and http", ""),
    ("[[step]]\ncall = { tool = \"a\", method = \"b\" }\n", 8, "exactly one of method, tool and http", ""),
    ("[[step]]\nrestart = { signal = \"SIGHUP\" }\n", 8, "unknown variant `SIGHUP`", ""),
    ("[[step]]\nwait = \"5s\"\n", 8, "wait has no steps under do", ""),
    ("[[step]]\ndelete = {}\n[[step.do]]\ndelete = {}\n", 8, "delete takes no steps under do", ""),
    ("[[step]]\nsql = {}\n", 8, "sql has a query", ""),
    ("[[step]]\ndelete = {}\nsession = \"man\"\n", 8, "no session \"man\" is open", "did you mean main?"),
    ("[[step]]\ncall.method = \"ping\"\nserver = 1\n", 8, "there is no server 1", "count"),
    ("[[step]]\nadvance = \"1h\"\nexpect.status = 200\n", 8, "only an HTTP answer has a status", ""),
    ("[[step]]\ndelete = {}\nexpect.rows = []\n", 8, "rows are expected of sql alone", ""),
    ("[[step]]\nadvance = \"1h\"\nsave.x = \"/a\"\n", 8, "no answer to look at", ""),
    // Loops beyond measure.
    ("[[step]]\nrepeat = { times = 0 }\n[[step.do]]\ndelete = {}\n", 8, "0 times checks nothing", ""),
    ("[[step]]\nparallel = { times = 5000 }\n[[step.do]]\ndelete = {}\n", 8, "1 to 1000 branches", ""),
    ("[[step]]\nrepeat = { times = 999999999 }\n[[step.do]]\ndelete = {}\n", 5, "the maximum is 100000", ""),
    // Expectations.
    ("[[step]]\ndelete = {}\nexpect.status = 700\n", 9, "700 is no HTTP status", ""),
    ("[[step]]\ndelete = {}\nexpect.sttus = 200\n", 9, "unknown field `sttus`", "did you mean status?"),
    ("[[step]]\ndelete = {}\nexpect.json.\"a/b\" = 1\n", 9, "\"a/b\" is no JSON pointer", "write \"/a/b\""),
    ("[[step]]\ndelete = {}\nexpect.json.\"/a\" = { mtches = \"x\" }\n", 9, "unknown field `mtches`", "matches?"),
    (
        "[[step]]\ndelete = {}\nexpect.json.\"/a\" = { matches = \"(\" }\n",
        9,
        "not a regular expression: unclosed group",
        "",
    ),
    ("[[step]]\nlog.matches = '(a{999}){999}'\n", 8, "not a regular expression", ""),
    // Variables.
    ("[[step]]\ndelete = {}\nheaders = { x = \"${ida}\" }\n", 9, "nothing is saved as \"ida\"", "save"),
    (
        "[[step]]\ndelete = {}\nsave.idea = \"status\"\n[[step]]\ninitialize.client = \"${idae}\"\n",
        11,
        "\"idae\"",
        "did you mean idea?",
    ),
    ("[[step]]\ndelete = {}\nheaders = { x = \"${main.archo}\" }\n", 9, "\"main.archo\"", "did you mean main.archon?"),
    ("[[step]]\ndelete = {}\nheaders = { x = \"${other.id}\" }\n", 9, "nothing is saved as \"other.id\"", ""),
    ("[[step]]\ndelete = {}\nheaders = { x = \"${a\" }\n", 9, "a ${ that no name and } follow", "$${"),
    ("[[step]]\ndelete = {}\nheaders = { x = \"${index}\" }\n", 9, "nothing is saved as \"index\"", ""),
    ("[[step]]\ndelete = {}\nsave.\"a b\" = \"status\"\n", 9, "\"a b\" is not a name", ""),
    ("[[step]]\ndelete = {}\nsave.url = \"status\"\n", 9, "\"url\" is not a name", ""),
    ("[[step]]\ndelete = {}\nsave.x = \"header\"\n", 9, "\"header\" is not a place in an answer", "header:NAME"),
    (
        "[[step]]\nparallel.times = 2\n[[step.do]]\ncall.method = \"ping\"\nsave.x = \"status\"\n[[step]]\ninitialize.client = \"${x}\"\n",
        13,
        "nothing is saved as \"x\"",
        "",
    ),
];

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, message, hint) in WRONG {
        let whole = if text.starts_with("[[step]]") { format!("{HEAD}{text}") } else { (*text).to_owned() };
        let error = parse("f.toml", &whole).expect_err(text);
        assert!(error.message.contains(message), "{text}\n{error}");
        assert_eq!(error.line, *line, "{text}\n{error}");
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{text}\n{error}\n{:?}", error.hint);
        assert!(error.to_string().starts_with(&format!("f.toml:{line}:")), "{error}");
    }
}

#[test]
fn what_is_right_is_taken() {
    for steps in [
        "[[step]]\ncall.method = \"ping\"\nsave.x = \"/result\"\n[[step]]\ncall = { tool = \"t\", arguments = { a = \"${x}\" } }\n",
        "[[step]]\nrepeat = { times = 2, index = \"n\" }\n[[step.do]]\ninitialize.client = \"c${n}\"\nsession = \"s${n}\"\n",
        "[[step]]\nparallel = {}\n[[step.do]]\ncall.method = \"ping\"\nsave.x = \"status\"\n[[step]]\ninitialize.client = \"${x}\"\n",
        "[[step]]\nwait = \"5s\"\n[[step.do]]\nsql.query = \"SELECT ${main.id}, ${session.archon}, ${run}, ${url}\"\n",
        "[[step]]\nname = \"a group\"\n[[step.do]]\ninitialize.client = \"$${not}\"\n",
    ] {
        let text = format!("{HEAD}{steps}");
        assert_eq!(parse("f", &text).err(), None, "{text}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let arrays = format!("name = {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    let inline = format!("name = {}1{}\n", "{a=".repeat(5000), "}".repeat(5000));
    let dotted = format!("{} = 1\n", vec!["a"; 5000].join("."));
    let steps: Vec<_> = (0..29).map(|depth| format!("[[step{}]]\nrepeat.times = 1\n", ".do".repeat(depth))).collect();
    let steps = steps.concat();
    for text in
        [arrays, inline, dotted, format!("name = \"x\"\n{steps}[[step{}]]\ninitialize = {{}}\n", ".do".repeat(29))]
    {
        let error = parse("f", &text).expect_err("too deep");
        assert!(error.message.len() < 500, "{error}");
    }
    let large = format!("name = \"{}\"\n", "x".repeat(2 << 20));
    assert!(parse("f", &large).expect_err("too large").message.contains("larger than"));
}

#[test]
fn the_schema_has_every_key() {
    let schema = schema();
    let text = schema.to_string();
    for key in ["own_server", "initialize", "parallel", "expect", "save", "do", "one_of", "SIGTERM", "postgres"] {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    // An editor must be able to follow each reference.
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap_or_default();
        assert!(schema.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn check_reads_files_and_runs_nothing() {
    let bench = Bench::new();
    bench.file("good.toml", "name = \"A good one\"\n[[step]]\ninitialize = {}\n");
    let good = bench.run(&["--check", "good.toml"]).await;
    assert_eq!((good.code(), good.out().as_str()), (Some(i32::from(exit::DONE)), "good.toml: A good one\n"), "{good}");
    bench.file("bad.toml", "name = \"A bad one\"\n[[step]]\nintialize = {}\n");
    let bad = bench.run(&["--check", "."]).await;
    assert_eq!(bad.code(), Some(i32::from(exit::USAGE)), "{bad}");
    assert!(bad.out().contains("bad.toml:3:1: unknown field `intialize`"), "{bad}");
    assert!(bad.out().contains("hint: did you mean initialize?") && bad.out().contains("A good one"), "{bad}");
    let json = bench.run(&["--check", "bad.toml", "--json"]).await;
    let told = &json.events()[0];
    assert_eq!((&told["valid"], &told["line"]), (&Value::Bool(false), &3.into()), "{json}");
    let ran = bench.run(&["bad.toml"]).await;
    assert_eq!((ran.code(), ran.out().as_str()), (Some(i32::from(exit::USAGE)), ""), "{ran}");
    assert!(ran.err().contains("bad.toml:3:1") && ran.err().contains("did you mean initialize?"), "{ran}");
}
