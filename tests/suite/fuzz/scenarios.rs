//! Scenario files: each is read, or refused with the place of what is wrong.

use std::time::{Duration, Instant};

use archonctl::selftest::script::parse;

use super::driver::{Target, hold};

const TARGET: Target = Target {
    folders: &["tests/corpus/scenarios", "src/selftest/scenarios"],
    words: &[
        "[[step]]\n",
        "[[step.do]]\n",
        "initialize = {}\n",
        "delete = {}\n",
        "call = { method = \"ping\" }\n",
        "= ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\"\"\"",
        "'''",
        "${x}",
        "{{x}}",
        "save.x = \"/a\"\n",
        "expect.status = 200\n",
        "matches = \"(\"",
        "repeat = { times = 3 }\n",
        "parallel = { times = 3 }\n",
        "advance = \"1h\"\n",
        "timeout = \"1s\"\n",
        "999999999999",
        "-1",
        "1979-05-27T07:32:00Z",
        "\u{0}",
        "\u{feff}",
        "é",
        "\n",
        "\r\n",
    ],
    cases: 2000,
};
/// Whatever stands in a file, it is read in this time (a thousandth of it, mostly).
const SOON: Duration = Duration::from_secs(10);

#[test]
fn scenarios() {
    hold(&TARGET, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let began = Instant::now();
        let read = parse("x.toml", &text);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        match read {
            Ok(scenario) => {
                assert!(!scenario.name.trim().is_empty() && !scenario.step.is_empty(), "nothing to check");
                // What follows is no part of it.
                let commented = format!("{text}\n# the end");
                parse("x.toml", &commented).expect("a comment at the end changes nothing");
            }
            Err(error) => {
                let lines = text.split('\n').count();
                assert!((1..=lines + 1).contains(&error.line), "line {} of {lines}", error.line);
                let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
                assert!((1..=line.chars().count() + 2).contains(&error.column), "{error}");
                assert!(!error.message.trim().is_empty() && !error.message.contains('\n'), "{error:?}");
                let place = format!("x.toml:{}:{}: ", error.line, error.column);
                assert!(error.to_string().starts_with(&place), "{error}");
                assert_eq!(parse("x.toml", &text).err(), Some(error), "the same again");
            }
        }
    });
}
