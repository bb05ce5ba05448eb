//! A program beside us: says a line when it is ready, may be told things line by line, and ends with the test.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::{Appliance, part, tool_script};

/// See the module.
pub struct HelperProcess {
    child: Child,
    hears: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl HelperProcess {
    pub fn started(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (hears, said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, hears, said }
    }

    /// A Python script of `tests/`.
    pub fn python(script: &str) -> Self {
        Self::started(Command::new(part("python3")).arg(tool_script(script)))
    }

    /// A script of `tests/providers`, with what it says first.
    pub fn provider(name: &str, given: &Value) -> (Self, Value) {
        Self::ready(&mut Self::script(name, given))
    }

    /// The same, living at the hour of the appliance.
    pub fn provider_with_clock(name: &str, given: &Value, site: &Appliance) -> (Self, Value) {
        let mut command = Self::script(name, given);
        site.share_clock(&mut command);
        Self::ready(&mut command)
    }

    fn script(name: &str, given: &Value) -> Command {
        let mut command = Command::new(part("node"));
        command.arg(tool_script(&format!("providers/{name}"))).arg(given.to_string());
        command
    }

    fn ready(command: &mut Command) -> (Self, Value) {
        let mut beside = Self::started(command);
        let ready = beside.next_line();
        (beside, serde_json::from_str(&ready).unwrap())
    }

    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.said.read_line(&mut line).unwrap() > 0, "the program beside us ended");
        line.trim().to_owned()
    }

    /// Whether it still runs.
    pub fn is_there(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Tells it something, and hears what it says to that.
    pub fn tell(&mut self, what: &Value) -> Value {
        writeln!(self.hears, "{what}").unwrap();
        serde_json::from_str(&self.next_line()).unwrap()
    }
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
