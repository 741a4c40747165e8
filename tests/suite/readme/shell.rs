//! One bash that runs command after command, as a reader's terminal does: variables and background jobs stay.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, fs, thread};

/// Where standard error goes, the servers' logs included.
pub(super) const ERRORS: &str = "errors.log";
/// The line that ends the output of a command.
const END: &str = "-- the command is done --";

/// A running bash. Dropping it kills its background jobs, too.
pub(super) struct Shell {
    bash: Child,
    lines: Receiver<String>,
    folder: PathBuf,
}

impl Shell {
    /// Starts bash in a folder, with our `archonctl` first on the PATH and that address as its server's.
    pub(super) fn start(folder: &Path, address: SocketAddr) -> Self {
        let bin = folder.join("bin");
        fs::create_dir(&bin).expect("a folder for the program");
        symlink(env!("CARGO_BIN_EXE_archonctl"), bin.join("archonctl")).expect("a link to the program");
        let path = format!("{}:{}", bin.display(), env::var("PATH").expect("a PATH"));
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .env_clear()
            .env("PATH", path)
            .env("HOME", folder)
            .env("ARCHONCTL_BIND", address.to_string())
            .env("ARCHONCTL_URL", format!("http://{address}/mcp"))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join(ERRORS)).expect("a file for errors"))
            .spawn()
            .expect("bash");
        let output = BufReader::new(bash.stdout.take().expect("a piped stdout"));
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { bash, lines, folder: folder.to_owned() }
    }

    /// Runs a command and returns what it printed on standard output.
    ///
    /// # Panics
    ///
    /// When it is not done within a minute, or its exit code is not 0.
    pub(super) fn run(&mut self, command: &str) -> String {
        let script = self.folder.join("command.sh");
        fs::write(&script, format!("{command}\n")).expect("write the command");
        // From a file: so no command can read the next one from bash's own standard input.
        self.type_line(&format!(". {} </dev/null; printf '\\n%s %s\\n' '{END}' $?", script.display()));
        let mut printed = String::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(1));
            let line = line.unwrap_or_else(|e| panic!("{e} on: {command}\n{printed}\n{}", self.errors()));
            if let Some(code) = line.strip_prefix(END) {
                assert_eq!(code.trim(), "0", "exit code of: {command}\n{printed}\n{}", self.errors());
                return printed;
            }
            printed += &line;
            printed.push('\n');
        }
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.join(ERRORS)).unwrap_or_default()
    }

    fn type_line(&mut self, line: &str) {
        let stdin = self.bash.stdin.as_mut().expect("a piped stdin");
        writeln!(stdin, "{line}").expect("bash reads");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.bash.stdin.take() {
            // By pid, and its own jobs alone. A bash that is gone has no jobs.
            _ = writeln!(stdin, "kill -9 $(jobs -p)");
        }
        _ = self.bash.wait();
    }
}
