//! What the kernel says of memory: of this process, of the control groups that it is in (versions 1 and 2), of the machine.
//! What it does not say is `None`; on another system than Linux that is all of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A share of what there is beyond which memory is short, in per cent.
const SHORT_PERCENT: u64 = 85;
/// The share of the last ten seconds in which something waited for memory, beyond which it is short, in per cent.
const STALLED_PERCENT: f64 = 10.0;
/// How version 1 of control groups says that there is no limit, or more.
const NO_LIMIT: u64 = 1 << 62;

/// Where the kernel's files are.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

/// Memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Memory {
    /// What this process has in memory (its resident set).
    pub process_bytes: Option<u64>,
    /// The least that its control groups allow.
    pub limit_bytes: Option<u64>,
    /// What the group with that limit uses, without what can be given back at once.
    pub used_bytes: Option<u64>,
    /// What the machine can still give.
    pub available_bytes: Option<u64>,
    /// What the machine has.
    pub total_bytes: Option<u64>,
    /// The share of the last ten seconds in which something waited for memory, in per cent.
    pub stalled_percent: Option<f64>,
}

/// How many processes were killed for want of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kills {
    /// The control group of this process; another one counts anew.
    pub group: Option<String>,
    /// In that group.
    pub in_group: Option<i64>,
    /// On the machine, since it was started.
    pub on_machine: Option<i64>,
}

impl Memory {
    /// Whether memory is short: for its control group, for the machine, or because something waits for it.
    pub fn is_short(&self) -> bool {
        let beyond = |used: Option<u64>, all: Option<u64>| {
            used.zip(all).is_some_and(|(used, all)| used.saturating_mul(100) > all.saturating_mul(SHORT_PERCENT))
        };
        let taken = self.total_bytes.zip(self.available_bytes).map(|(all, left)| all.saturating_sub(left));
        beyond(self.used_bytes, self.limit_bytes)
            || beyond(taken, self.total_bytes)
            || self.stalled_percent.is_some_and(|percent| percent > STALLED_PERCENT)
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::under("/")
    }
}

impl Machine {
    /// The files are below that folder: `proc/…` and `sys/fs/cgroup/…`.
    pub fn under(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Memory now.
    pub fn memory(&self) -> Memory {
        let info = self.read("proc/meminfo");
        let kib = |name| info.as_deref().and_then(|text| figure(text, name)).map(|kib| kib * 1024);
        let status = self.read("proc/self/status");
        let resident = status.as_deref().and_then(|text| figure(text, "VmRSS:")).map(|kib| kib * 1024);
        let limited = self.groups().into_iter().filter_map(|group| group.limited()).min_by_key(|(limit, _)| *limit);
        Memory {
            process_bytes: resident,
            limit_bytes: limited.map(|(limit, _)| limit),
            used_bytes: limited.and_then(|(_, used)| used),
            available_bytes: kib("MemAvailable:"),
            total_bytes: kib("MemTotal:"),
            stalled_percent: self.stalled(),
        }
    }

    /// Who was killed for want of memory, up to now.
    pub fn kills(&self) -> Kills {
        let own = self.groups().into_iter().next();
        let machine = self.read("proc/vmstat").and_then(|text| figure(&text, "oom_kill "));
        Kills {
            in_group: own.as_ref().and_then(Group::kills).and_then(|count| count.try_into().ok()),
            group: own.map(|group| group.name),
            on_machine: machine.and_then(|count| count.try_into().ok()),
        }
    }

    /// Of its own group if that is told, else of the machine.
    fn stalled(&self) -> Option<f64> {
        let own = self.groups().into_iter().next().map(|group| group.folder.join("memory.pressure"));
        let text = own.and_then(|file| fs::read_to_string(file).ok()).or_else(|| self.read("proc/pressure/memory"))?;
        let some = text.lines().find(|line| line.starts_with("some "))?;
        some.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.root.join(file)).ok()
    }

    /// The control groups that limit this process, from its own one outwards.
    fn groups(&self) -> Vec<Group> {
        let Some(text) = self.read("proc/self/cgroup") else { return Vec::new() };
        let lines = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.split_once(':')
        });
        let mut groups = Vec::new();
        for (controllers, name) in lines {
            let mounts: &[(&str, Version)] = match controllers {
                "" => &[("sys/fs/cgroup", Version::Two), ("sys/fs/cgroup/unified", Version::Two)],
                _ if controllers.split(',').any(|one| one == "memory") => &[("sys/fs/cgroup/memory", Version::One)],
                _ => continue,
            };
            for (mount, version) in mounts {
                groups.extend(Self::chain(&self.root.join(mount), name, *version));
            }
        }
        groups
    }

    /// A group and those around it. A container sees its own group as the outermost, whatever it is called outside.
    fn chain(mount: &Path, name: &str, version: Version) -> Vec<Group> {
        let inner = name.trim_matches('/');
        let folder = if inner.contains("..") { mount.to_owned() } else { mount.join(inner) };
        let start = if folder.is_dir() { folder } else { mount.to_owned() };
        let folders = start.ancestors().take_while(|folder| folder.starts_with(mount)).map(Path::to_owned);
        let is_group = |folder: &PathBuf| folder.join(version.usage()).is_file();
        folders.filter(is_group).map(|folder| Group { name: name.to_owned(), folder, version }).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    const fn usage(self) -> &'static str {
        match self {
            Self::One => "memory.usage_in_bytes",
            Self::Two => "memory.current",
        }
    }
}

/// A control group.
struct Group {
    name: String,
    folder: PathBuf,
    version: Version,
}

impl Group {
    /// Its limit if it has one, and what it uses.
    fn limited(&self) -> Option<(u64, Option<u64>)> {
        let limit = match self.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        let limit = self.number(limit).filter(|limit| *limit < NO_LIMIT)?;
        // The kernel gives back what it keeps of files before it kills anybody.
        let kept = match self.version {
            Version::One => "total_inactive_file ",
            Version::Two => "inactive_file ",
        };
        let kept = self.read("memory.stat").and_then(|text| figure(&text, kept)).unwrap_or(0);
        Some((limit, self.number(self.version.usage()).map(|used| used.saturating_sub(kept))))
    }

    fn kills(&self) -> Option<u64> {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        figure(&self.read(file)?, "oom_kill ")
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.read(file)?.trim().parse().ok()
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }
}

/// The number on the line that begins so.
fn figure(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
