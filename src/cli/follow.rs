//! `-f`: rows as they come, each once.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::output::{Format, List, Output, Screen, View, Widths, write_out};
use super::signal::interrupted;
use super::watch::ended_by;
use crate::model::timestamp::Timestamp;
use crate::queries::columns::Listed;
use crate::store::Store;

/// How often new rows are looked for.
const POLL: Duration = Duration::from_millis(300);

/// A row with a number.
pub(super) trait Numbered {
    /// Its number: higher than those of rows that were written before, nearly always.
    fn number(&self) -> i64;
}

/// Where rows come from.
pub(super) trait Source<T> {
    /// The number of the last row, filtered or not.
    async fn last(&self) -> anyhow::Result<i64>;
    /// The last rows that pass the filter: those that stand there at the beginning.
    async fn before(&self) -> anyhow::Result<Vec<T>>;
    /// The first rows after that number that pass the filter; not all, if they are many.
    async fn after(&self, number: i64) -> anyhow::Result<Vec<T>>;
}

/// Prints rows as they come, until interrupted.
///
/// # Errors
/// When they cannot be read or written.
pub(super) async fn follow<T: Listed + Serialize + Numbered>(
    source: &impl Source<T>,
    store: &Store,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let mut stop = pin!(interrupted());
    let (mut widths, mut first) = (Widths::default(), true);
    let opening = async {
        let mut tail = store.tail(source.last().await?);
        // What stands there now is old, whether it is among the last ones that are printed or not.
        tail.know(&all_after(source, tail.floor()).await?, T::number);
        let rows = source.before().await?;
        tail.know(&rows, T::number);
        anyhow::Ok((tail, rows))
    };
    let (mut tail, mut rows) = tokio::select! {
        biased;
        signal = &mut stop => return Ok(ended_by(signal)),
        opened = opening => opened?,
    };
    loop {
        print(rows, output, &mut widths, &mut first)?;
        tokio::select! {
            signal = &mut stop => return Ok(ended_by(signal)),
            () = tokio::time::sleep(POLL) => {}
        }
        rows = tokio::select! {
            signal = &mut stop => return Ok(ended_by(signal)),
            read = all_after(source, tail.floor()) => tail.new_ones(read?, T::number),
        };
    }
}

async fn all_after<T: Numbered>(source: &impl Source<T>, number: i64) -> anyhow::Result<Vec<T>> {
    let mut all = source.after(number).await?;
    let mut last = all.last().map(Numbered::number);
    while let Some(number) = last {
        let more = source.after(number).await?;
        last = more.last().map(Numbered::number);
        all.extend(more);
    }
    Ok(all)
}

fn print<T: Listed + Serialize>(
    rows: Vec<T>,
    output: &Output,
    widths: &mut Widths,
    first: &mut bool,
) -> anyhow::Result<()> {
    let list = List::new(rows, Timestamp::default());
    let screen = Screen::of_standard_output();
    let text = match output.format() {
        Format::Table if list.rows.is_empty() => String::new(),
        Format::Table => list.continued(&screen, widths) + "\n",
        // A document would never end.
        Format::Json | Format::Jsonl => list.lines()?.into_iter().map(|line| line + "\n").collect(),
        Format::Csv => list.csv(*first)?,
    };
    *first = false;
    Ok(write_out(&text, output.format())?)
}
