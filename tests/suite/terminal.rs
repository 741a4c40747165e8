//! A terminal for a command to stand in: a pseudo terminal of a given width.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// What a command showed on a terminal.
#[derive(Debug)]
pub(crate) struct Shown {
    /// All that it wrote, on either output, with the line breaks of a file.
    pub(crate) text: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
}

impl Shown {
    /// The width of the widest line, in characters.
    pub(crate) fn width(&self) -> usize {
        self.text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
    }
}

/// Both ends of a terminal that is so many columns wide: ours, and the one that a command stands on.
pub(crate) fn pair(columns: u16) -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("ours");
    let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("text");
    // It must not become the terminal of the tests themselves.
    let flags = i32::try_from(OFlags::NOCTTY.bits()).expect("a small flag");
    let mut options = OpenOptions::new();
    let slave = std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true).write(true), flags);
    let slave = slave.open(name).expect("its other end");
    tcsetwinsize(&slave, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).expect("sized");
    (File::from(master), slave)
}

/// Runs a command with all three of its streams on a terminal that is so many columns wide.
pub(crate) fn show(command: Command, columns: u16) -> Shown {
    show_typed(command, columns, "")
}

/// The same, where somebody has typed that already. The terminal does not show it.
pub(crate) fn show_typed(mut command: Command, columns: u16, typed: &str) -> Shown {
    let (mut master, slave) = pair(columns);
    let mut modes = tcgetattr(&slave).expect("its modes");
    modes.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&slave, OptionalActions::Now, &modes).expect("set");
    master.write_all(typed.as_bytes()).expect("typed");
    let end = || Stdio::from(slave.try_clone().expect("one more"));
    command.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().expect("started");
    // Ours would keep it open beyond the child's end; so would those that the command still holds.
    drop((slave, command));
    let reader = thread::spawn(move || {
        let (mut text, mut part) = (Vec::new(), [0; 4096]);
        // Its end is an error (EIO) on Linux.
        while let Ok(n @ 1..) = master.read(&mut part) {
            text.extend_from_slice(&part[..n]);
        }
        text
    });
    let status = child.wait().expect("ended");
    let text = String::from_utf8(reader.join().expect("read")).expect("text").replace("\r\n", "\n");
    Shown { text, status }
}

mod tests {
    use super::*;

    #[test]
    fn is_a_terminal_of_that_width() {
        let mut command = Command::new("sh");
        command.args(["-c", "test -t 0 && test -t 1 && test -t 2 && stty size; exit 3"]);
        let shown = show(command, 37);
        assert_eq!((shown.text.as_str(), shown.status.code(), shown.width()), ("50 37\n", Some(3), 5));
    }
}
