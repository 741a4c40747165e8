//! Tables in Markdown that a terminal shows as well, and numbers as people read them.

/// The first column says what a row is about, the others hold figures.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    // A column in which nobody has a figure was not measured.
    let kept: Vec<usize> =
        (0..head.len()).filter(|&n| n == 0 || rows.iter().any(|row| row[n] != NOT_MEASURED)).collect();
    let width = |n: usize| rows.iter().map(|row| row[n].chars().count()).chain([head[n].chars().count()]).max();
    let widths: Vec<usize> = kept.iter().map(|&n| width(n).unwrap_or_default()).collect();
    let line = |cells: Vec<&str>| {
        let cell = |(n, cell): (usize, &str)| {
            let pad = " ".repeat(widths[n] - cell.chars().count());
            if n == 0 { format!("| {cell}{pad} ") } else { format!("| {pad}{cell} ") }
        };
        cells.into_iter().enumerate().map(cell).collect::<String>() + "|\n"
    };
    let rule = |(n, width): (usize, &usize)| format!("|{}{}", "-".repeat(width + 1), if n == 0 { "-" } else { ":" });
    let mut text = line(kept.iter().map(|&n| head[n]).collect());
    text += &(widths.iter().enumerate().map(rule).collect::<String>() + "|\n");
    for row in rows {
        text += &line(kept.iter().map(|&n| row[n].as_str()).collect());
    }
    text
}

const NOT_MEASURED: &str = "–";

/// A figure as a cell.
pub(crate) fn cell(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| NOT_MEASURED.to_owned(), show)
}

/// Three digits that count, thousands apart: 17,300.
pub(crate) fn count(number: f64) -> String {
    let digits = number.abs().log10().floor();
    let unit = if number >= 1000.0 { 10_f64.powf(digits - 2.0) } else { 1.0 };
    exact((number / unit).round() * unit)
}

/// A whole number, thousands apart.
pub(crate) fn exact(number: f64) -> String {
    grouped(&format!("{number:.0}"))
}

/// Digits, thousands apart.
pub(crate) fn grouped(digits: &str) -> String {
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

pub(crate) fn ms(number: f64) -> String {
    match number {
        n if n < 1.0 => format!("{n:.2} ms"),
        n if n < 10.0 => format!("{n:.1} ms"),
        n => format!("{} ms", exact(n)),
    }
}

pub(crate) fn micros(number: f64) -> String {
    if number < 100.0 { format!("{number:.1} µs") } else { format!("{} µs", count(number)) }
}

pub(crate) fn percent(number: f64) -> String {
    if number < 10.0 { format!("{number:.1} %") } else { format!("{number:.0} %") }
}

pub(crate) fn bytes(number: f64) -> String {
    match number {
        n if n < 1024.0 => format!("{n:.0} B"),
        n if n < 10_240.0 => format!("{:.1} KiB", n / 1024.0),
        n if n < 1_048_576.0 => format!("{:.0} KiB", n / 1024.0),
        n if n < 10_485_760.0 => format!("{:.1} MiB", n / 1_048_576.0),
        n => format!("{:.0} MiB", n / 1_048_576.0),
    }
}
