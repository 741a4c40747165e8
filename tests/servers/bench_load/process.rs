//! What a server takes of its machine, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// CPU time so far, of the servers and of this process.
pub(crate) struct Cpu {
    /// None when nobody named a process.
    servers: Option<Duration>,
    load: Duration,
}

impl Cpu {
    /// Children count with their parents: a database is many processes.
    pub(crate) fn now(servers: &[u32]) -> anyhow::Result<Self> {
        let stats = stats()?;
        let time = servers.iter().map(|pid| family_time(*pid, &stats)).sum::<anyhow::Result<Duration>>()?;
        let load = stats.get(&std::process::id()).context("/proc does not show this process")?.cpu;
        Ok(Self { servers: (!servers.is_empty()).then_some(time), load })
    }

    /// Between two readings: of the servers, and of this process.
    pub(crate) fn since(&self, earlier: &Self) -> (Option<Duration>, Duration) {
        let servers = self.servers.zip(earlier.servers).map(|(now, then)| now.saturating_sub(then));
        (servers, self.load.saturating_sub(earlier.load))
    }
}

/// What `stat` says of one process.
struct Stat {
    parent: u32,
    cpu: Duration,
}

fn family_time(pid: u32, stats: &HashMap<u32, Stat>) -> anyhow::Result<Duration> {
    let own = stats.get(&pid).with_context(|| format!("there is no process {pid}"))?.cpu;
    let children = stats.iter().filter(|(_, stat)| stat.parent == pid);
    children.map(|(child, _)| family_time(*child, stats)).try_fold(own, |sum, time| Ok(sum + time?))
}

/// Of all processes; one that ends meanwhile is left out.
fn stats() -> anyhow::Result<HashMap<u32, Stat>> {
    let mut stats = HashMap::new();
    for entry in fs::read_dir("/proc").context("/proc cannot be read")? {
        let path = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        let Ok(text) = fs::read_to_string(path.join("stat")) else { continue };
        stats.insert(pid, Stat::parse(&text).with_context(|| format!("the stat of {pid} cannot be read"))?);
    }
    Ok(stats)
}

impl Stat {
    /// proc(5): field 4 is the parent, 14 and 15 user and system time of all threads.
    fn parse(stat: &str) -> Option<Self> {
        /// Linux shows a hundred a second on every machine, whatever its kernel counts.
        const TICK: Duration = Duration::from_millis(10);
        // The second field is the program's name and may hold anything, but the last ')' ends it.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
        Some(Self { parent: number(4)?, cpu: TICK * (number(14)? + number(15)?) })
    }
}

/// Resident memory in bytes: what the process really has in the machine's.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process without VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS is not a number")?;
    Ok(kib * 1024)
}

/// How many files and sockets a process has open.
pub(crate) fn descriptors(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("no process {pid}"))?.count())
}

/// Bytes of a file; none of one that is not there.
pub(crate) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
