//! The tables of a run: everybody in one, then what is asked of our own server at several sizes.

use std::fmt::Write as _;

use crate::summary::Summary;
use crate::table::{bytes, cell, count, exact, grouped, micros, ms, percent, table};

/// With the machine and the conditions above them.
pub(crate) fn tables(summary: &Summary) -> String {
    let mut text = format!("{}\n{}\n", summary.machine, summary.conditions);
    let sections = [
        ("", everybody(summary)),
        ("Calls by the number of connections:", by_connections(summary)),
        ("Sessions that are open and idle:", memory(summary)),
        ("After `kill -9` and a start:", restart(summary)),
    ];
    for (title, table) in sections {
        if let Some(table) = table {
            let title = if title.is_empty() { String::new() } else { format!("{title}\n\n") };
            // A string takes whatever is written to it.
            write!(text, "\n{title}{table}").unwrap_or_default();
        }
    }
    text
}

/// Calls, sessions opened, memory and survival, each at the first size measured of everybody.
fn everybody(summary: &Summary) -> Option<String> {
    let first = |section: &str| summary.sizes(section).first().copied();
    first("calls").or(first("sessions"))?;
    let row = |(subject, label): &(String, String)| {
        let of = |section: &str, name: &str| summary.figure(section, subject, first(section)?, name);
        let call = |name: &str| of("calls", name);
        let alive = of("restart", "alive").zip(of("restart", "asked")).map(|(alive, asked)| 100.0 * alive / asked);
        vec![
            label.clone(),
            cell(call("per_second"), count),
            cell(call("percent_of_bare"), percent),
            cell(call("times_rmcp"), |n| format!("{n:.2}")),
            cell(call("p50_ms"), ms),
            cell(call("p99_ms"), ms),
            cell(call("server_cpu_us"), micros),
            cell(of("sessions", "per_second"), count),
            cell(of("memory", "bytes_per_session"), bytes),
            cell(alive, percent),
        ]
    };
    let head = [
        "",
        "calls/s",
        "of bare",
        "× rmcp",
        "p50",
        "p99",
        "CPU a call",
        "sessions opened/s",
        "memory a session",
        "alive after `kill -9`",
    ];
    Some(table(&head, &summary.subjects.iter().map(row).collect::<Vec<_>>()))
}

fn by_connections(summary: &Summary) -> Option<String> {
    by_size(summary, "latency", &["", "connections", "calls/s", "of bare", "× rmcp", "p50", "p99"], |of| {
        vec![
            cell(of("per_second"), count),
            cell(of("percent_of_bare"), percent),
            cell(of("times_rmcp"), |n| format!("{n:.2}")),
            cell(of("p50_ms"), ms),
            cell(of("p99_ms"), ms),
        ]
    })
}

fn memory(summary: &Summary) -> Option<String> {
    by_size(summary, "memory", &["", "sessions", "memory a session", "in all"], |of| {
        vec![cell(of("bytes_per_session"), bytes), cell(of("resident_after_bytes"), bytes)]
    })
}

fn restart(summary: &Summary) -> Option<String> {
    by_size(
        summary,
        "restart",
        &[
            "",
            "sessions",
            "first answer",
            "found in the database",
            "alive of those asked",
            "first calls/s",
            "put off by 503",
        ],
        |of| {
            let alive = of("alive").zip(of("asked"));
            // A refusal is no call.
            let calls = of("calls_per_second").filter(|_| alive.is_some_and(|(alive, _)| alive > 0.0));
            vec![
                cell(of("first_answer_ms"), ms),
                cell(of("recovered"), exact),
                alive.map_or_else(String::new, |(alive, asked)| format!("{} of {}", exact(alive), exact(asked))),
                cell(calls, count),
                cell(of("put_off"), exact),
            ]
        },
    )
}

/// A row for each subject and size of a section; `cells` shows the figures, which it asks for by name.
fn by_size(
    summary: &Summary,
    section: &str,
    head: &[&str],
    cells: impl Fn(&dyn Fn(&str) -> Option<f64>) -> Vec<String>,
) -> Option<String> {
    let mut rows = Vec::new();
    for (subject, label) in &summary.subjects {
        for row in summary.rows.iter().filter(|row| row.section == section && &row.subject == subject) {
            let first = [label.clone(), grouped(&row.size.to_string())];
            rows.push(first.into_iter().chain(cells(&|name| row.figures.get(name).copied())).collect());
        }
    }
    (!rows.is_empty()).then(|| table(head, &rows))
}
