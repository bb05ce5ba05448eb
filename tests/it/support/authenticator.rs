//! Second factors of the tests: codes of `oathtool`, and passkeys of authenticators that can send wrong data.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::{tool, tool_script};

/// The six digits of `secret` (base32) at a time in Unix seconds, computed by an independent program.
pub fn oath_code(secret: &str, unix_seconds: i64) -> String {
    let mut oathtool = Command::new(tool("oathtool"));
    oathtool.args(["--totp", "-b", secret, "-N", &format!("@{unix_seconds}")]).env("TZ", "UTC");
    let output = oathtool.output().unwrap();
    assert!(output.status.success(), "oathtool: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A program that simulates any number of authenticators. It ends with the test.
pub struct Authenticator {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    origin: String,
}

impl Authenticator {
    /// Authenticators of a browser at `origin`.
    pub fn at(origin: &str) -> Self {
        let mut command = Command::new(tool("python3"));
        command.arg(tool_script("browser/authenticator.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout, origin: origin.to_owned() }
    }

    fn request(&mut self, request: &Value) -> (usize, Value) {
        writeln!(self.stdin, "{request}").unwrap();
        let mut line = String::new();
        assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the authenticator ended at {request}");
        let answer: Value = serde_json::from_str(&line).unwrap();
        (usize::try_from(answer["device"].as_u64().unwrap()).unwrap(), answer["credential"].clone())
    }

    /// A new authenticator creates a passkey, changed by `change`. Answers the number of the authenticator, and the
    /// answer of the browser.
    pub fn create(&mut self, options: &Value, change: &Value) -> (usize, Value) {
        let origin = self.origin.clone();
        self.request(&json!({"op": "create", "options": options, "origin": origin, "change": change}))
    }

    /// An authenticator signs data that is changed by `change`.
    pub fn get(&mut self, device: usize, options: &Value, change: &Value) -> Value {
        let origin = self.origin.clone();
        self.request(&json!({"op": "get", "device": device, "options": options, "origin": origin, "change": change})).1
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
