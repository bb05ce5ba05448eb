//! A helper program: it prints a line when it is ready, takes requests line by line, and ends with the test.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Appliance, tool, tool_script};

pub struct HelperProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl HelperProcess {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    /// Starts a Python script of `tests/`.
    pub fn python(script: &str) -> Self {
        Self::start(Command::new(tool("python3")).arg(tool_script(script)))
    }

    /// Starts a script of `tests/providers`. Also answers what it prints first.
    pub fn provider(name: &str, given: &Value) -> (Self, Value) {
        Self::start_and_read(&mut Self::script(name, given))
    }

    /// The same, with the clock of the appliance.
    pub fn provider_with_clock(name: &str, given: &Value, site: &Appliance) -> (Self, Value) {
        let mut command = Self::script(name, given);
        site.share_clock(&mut command);
        Self::start_and_read(&mut command)
    }

    fn script(name: &str, given: &Value) -> Command {
        let mut command = Command::new(tool("node"));
        command.arg(tool_script(&format!("providers/{name}"))).arg(given.to_string());
        command
    }

    fn start_and_read(command: &mut Command) -> (Self, Value) {
        let mut process = Self::start(command);
        let first_line = process.next_line();
        (process, serde_json::from_str(&first_line).unwrap())
    }

    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the helper program ended");
        line.trim().to_owned()
    }

    /// Sends a signal and waits for the end.
    pub fn stop_with(&mut self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
        self.child.wait().unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a request and reads the answer.
    pub fn request(&mut self, request: &Value) -> Value {
        writeln!(self.stdin, "{request}").unwrap();
        serde_json::from_str(&self.next_line()).unwrap()
    }
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
