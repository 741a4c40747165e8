//! The machine on which something was measured.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::{fs, thread};

use anyhow::Context;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    /// What holds the working directory, where the databases lie.
    disk: String,
}

impl Machine {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("{path} cannot be read"));
        let cpu = field(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "a CPU without a name".to_owned());
        let memory = field(&read("/proc/meminfo")?, "MemTotal").context("/proc/meminfo has no MemTotal")?;
        let kib: f64 = memory.trim_end_matches(" kB").parse().context("MemTotal is not a number")?;
        Ok(Self {
            cpu,
            cores: thread::available_parallelism()?.get(),
            memory_gib: (kib / 1024.0 / 1024.0).round(),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            disk: disk(&read("/proc/mounts")?)?,
        })
    }
}

/// `name : value`, the first one.
fn field(text: &str, name: &str) -> Option<String> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

/// The file system of the working directory, and what it lies on.
fn disk(mounts: &str) -> anyhow::Result<String> {
    let here = std::env::current_dir()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, Path::new(fields.next()?), fields.next()?))
    });
    let ours = mounts.filter(|(_, at, _)| here.starts_with(at)).max_by_key(|(_, at, _)| at.components().count());
    let (device, _, kind) = ours.context("/proc/mounts shows nothing above the working directory")?;
    let name = device.trim_start_matches("/dev/");
    let kind_of_disk = match fs::read_to_string(format!("/sys/class/block/{name}/queue/rotational")) {
        _ if name.starts_with("vd") => "a virtual disk",
        Ok(spins) if spins.trim() == "1" => "a disk that spins",
        Ok(_) => "solid state",
        Err(_) => device,
    };
    Ok(format!("{kind} on {kind_of_disk}"))
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, memory_gib, kernel, disk } = self;
        write!(f, "Measured on {cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, {disk}.")
    }
}
