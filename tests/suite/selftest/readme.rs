//! What the README says of selftest: its scenario holds, its numbers are true, its snippet is one.

use archonctl::cli::{Cli, exit};
use archonctl::selftest::builtin;
use clap::CommandFactory;

use super::Bench;

const README: &str = include_str!("../../../README.md");

/// The first block of that language in the section.
fn block(language: &str) -> &'static str {
    let section =
        README.split("\n## Selftest\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    let rest = section.split(&format!("```{language}\n")).nth(1).expect("a block");
    rest.split("\n```").next().expect("its end")
}

#[tokio::test]
async fn its_scenario_holds_and_can_fail() {
    let bench = Bench::new();
    let scenario = block("toml");
    let finished = bench.play(scenario, &[]).await;
    assert_eq!(finished["verdict"], "passed", "{finished:#}");
    let wrong = scenario.replace("\"Notes\"\nexpect", "\"Other notes\"\nexpect");
    assert_ne!(wrong, scenario);
    let finished = bench.play(&wrong, &[]).await;
    assert_eq!(finished["verdict"], "failed", "{finished:#}");
}

#[tokio::test]
async fn its_workflow_runs() {
    let bench = Bench::new();
    let steps: Vec<serde_json::Value> = serde_saphyr::from_str(block("yaml")).expect("YAML");
    let line = steps[0]["run"].as_str().expect("a command");
    let words = shlex::split(line).expect("words");
    Cli::command().try_get_matches_from(&words).expect("a command of ours");
    let report = steps[1]["with"]["path"].as_str().expect("a path");
    let args: Vec<_> = words[2..].iter().map(String::as_str).chain(["lifecycle-2025-11-25"]).collect();
    let run = bench.run(&args).await;
    assert_eq!(run.code(), Some(i32::from(exit::DONE)), "{run}");
    assert!(bench.path().join(report).is_file(), "the report is where the workflow looks for it");
}

#[test]
fn its_number_of_scenarios_is_true() {
    let count = builtin::SCENARIOS.len();
    assert!(README.contains(&format!("one per promise: {count} are built in")), "there are {count}");
}
