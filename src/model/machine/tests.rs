use tempfile::TempDir;

use super::*;

/// A machine of those files.
fn machine(files: &[(&str, &str)]) -> (TempDir, Machine) {
    let root = tempfile::tempdir().expect("a folder");
    for (file, text) in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let machine = Machine::under(root.path());
    (root, machine)
}

const MIB: u64 = 1 << 20;
const PROC: [(&str, &str); 3] = [
    ("proc/meminfo", "MemTotal:       8388608 kB\nMemFree:  1 kB\nMemAvailable:   4194304 kB\n"),
    ("proc/self/status", "Name:\tarchonctl\nVmRSS:\t   20480 kB\n"),
    ("proc/vmstat", "nr_free_pages 1\noom_kill 3\n"),
];

#[test]
fn version_two_of_control_groups_is_read_up_to_the_least_limit() {
    let group = [
        ("proc/self/cgroup", "0::/system.slice/archonctl.service\n"),
        ("sys/fs/cgroup/system.slice/archonctl.service/memory.current", "94371840\n"),
        ("sys/fs/cgroup/system.slice/archonctl.service/memory.max", "max\n"),
        ("sys/fs/cgroup/system.slice/archonctl.service/memory.events", "low 0\noom 2\noom_kill 1\n"),
        ("sys/fs/cgroup/system.slice/archonctl.service/memory.pressure", "some avg10=12.50 avg60=0\nfull avg10=0.00\n"),
        ("sys/fs/cgroup/system.slice/memory.current", "104857600\n"),
        ("sys/fs/cgroup/system.slice/memory.max", "209715200\n"),
        ("sys/fs/cgroup/system.slice/memory.stat", "anon 1\ninactive_file 10485760\n"),
        ("sys/fs/cgroup/cgroup.procs", ""),
    ];
    let (_root, machine) = machine(&[&PROC[..], &group].concat());
    let memory = machine.memory();
    assert_eq!(memory.process_bytes, Some(20 * MIB));
    assert_eq!((memory.limit_bytes, memory.used_bytes), (Some(200 * MIB), Some(90 * MIB)));
    assert_eq!((memory.total_bytes, memory.available_bytes), (Some(8192 * MIB), Some(4096 * MIB)));
    assert_eq!(memory.stalled_percent, Some(12.5));
    let kills = Kills { group: Some("/system.slice/archonctl.service".into()), in_group: Some(1), on_machine: Some(3) };
    assert_eq!(machine.kills(), kills);
}

#[test]
fn version_one_and_what_a_container_sees_of_it_are_read() {
    let group = [
        ("proc/self/cgroup", "12:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n0::/docker/abc\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "62914560"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"),
        ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1048576\n"),
        ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"),
        ("proc/pressure/memory", "some avg10=0.25 avg60=0.00\n"),
    ];
    let (_root, machine) = machine(&[&PROC[..], &group].concat());
    let memory = machine.memory();
    assert_eq!((memory.limit_bytes, memory.used_bytes), (Some(64 * MIB), Some(59 * MIB)));
    assert_eq!(memory.stalled_percent, Some(0.25));
    assert!(memory.is_short(), "59 of 64");
    assert_eq!(machine.kills().in_group, Some(7));
}

#[test]
fn no_limit_is_none_and_what_is_not_told_is_not_known() {
    let group = [
        ("proc/self/cgroup", "5:memory:/\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "62914560"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
    ];
    let (_root, machine) = machine(&group);
    assert_eq!(machine.memory(), Memory::default());
    assert_eq!(machine.kills(), Kills { group: Some("/".into()), ..Kills::default() });
    let nowhere = Machine::under("/nowhere at all");
    assert_eq!((nowhere.memory(), nowhere.kills()), (Memory::default(), Kills::default()));
    assert!(!Memory::default().is_short());
}

#[test]
fn memory_is_short_when_little_is_left_or_something_waits() {
    let of = |used, limit, left, all, stalled| {
        let memory = Memory {
            process_bytes: None,
            limit_bytes: limit,
            used_bytes: used,
            available_bytes: left,
            total_bytes: all,
            stalled_percent: stalled,
        };
        memory.is_short()
    };
    assert!(!of(Some(85), Some(100), Some(15), Some(100), Some(10.0)), "just not");
    assert!(of(Some(86), Some(100), None, None, None));
    assert!(of(None, None, Some(14), Some(100), None));
    assert!(of(None, None, None, None, Some(10.5)));
    assert!(!of(Some(86), None, Some(0), None, None), "of nothing");
}

#[test]
#[cfg(target_os = "linux")]
fn this_machine_tells_its_memory() {
    let memory = Machine::default().memory();
    assert!(memory.process_bytes.is_some_and(|bytes| bytes > MIB));
    assert!(memory.total_bytes > memory.available_bytes);
}
