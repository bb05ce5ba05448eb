//! Second factors of the tests: codes as `oathtool` makes them, and passkeys of authenticators that can lie.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::{part, tool_script};

/// The six digits of `secret` (base32) at a time in Unix seconds, by another program than ours.
pub fn oath_code(secret: &str, unix_seconds: i64) -> String {
    let mut oathtool = Command::new(part("oathtool"));
    oathtool.args(["--totp", "-b", secret, "-N", &format!("@{unix_seconds}")]).env("TZ", "UTC");
    let said = oathtool.output().unwrap();
    assert!(said.status.success(), "oathtool: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// A program that is any number of authenticators. It ends with the test.
pub struct Authenticator {
    child: Child,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
    origin: String,
}

impl Authenticator {
    /// Authenticators behind a browser at `origin`.
    pub fn at(origin: &str) -> Self {
        let mut command = Command::new(part("python3"));
        command.arg(tool_script("browser/authenticator.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (asks, says) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, asks, says, origin: origin.to_owned() }
    }

    fn ask(&mut self, asked: &Value) -> (usize, Value) {
        writeln!(self.asks, "{asked}").unwrap();
        let mut line = String::new();
        assert!(self.says.read_line(&mut line).unwrap() > 0, "the authenticator ended at {asked}");
        let said: Value = serde_json::from_str(&line).unwrap();
        (usize::try_from(said["device"].as_u64().unwrap()).unwrap(), said["credential"].clone())
    }

    /// A new authenticator makes a passkey, with `change` in it. Answers its number, and the browser's answer.
    pub fn create(&mut self, options: &Value, change: &Value) -> (usize, Value) {
        let origin = self.origin.clone();
        self.ask(&json!({"op": "create", "options": options, "origin": origin, "change": change}))
    }

    /// An authenticator signs, with `change` in what it signs.
    pub fn get(&mut self, device: usize, options: &Value, change: &Value) -> Value {
        let origin = self.origin.clone();
        self.ask(&json!({"op": "get", "device": device, "options": options, "origin": origin, "change": change})).1
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
