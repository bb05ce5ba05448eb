//! A real appliance: the program itself, on a free port and in its own folder.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domicile::base::Stopwatch;
use domicile::crypto::Keyring;
use domicile::db::Layout;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::browser::{Browser, Call};
use super::mailbox::Mailbox;

/// How long a start may take on a busy machine before it counts as failed.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The columns that the delivery of a mail changes, at any time after the mail is queued.
const DELIVERY: [&str; 7] = ["attempts", "next_at", "claimed_at", "sent_at", "last_error", "body_text", "body_html"];

/// A port of the loopback interface that was free a moment ago.
pub fn free_port() -> u16 {
    // Not port 0: the kernel gives such ports to outgoing connections as well (`ip_local_port_range`, from 32768), and one
    // of another test may take the port before the server listens on it.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(101);
    loop {
        let step = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = 10_000 + u16::try_from(step).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A real appliance. Its server ends when it is dropped.
pub struct Appliance {
    folder: TempDir,
    pub port: u16,
    server: Option<Child>,
    /// The file that sets how far the server's clock is ahead; see [`Appliance::set_ahead`].
    clock: Option<PathBuf>,
    /// Whether the clock stands still, for the commands too.
    is_frozen: bool,
}

/// The output of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl CommandOutput {
    /// The standard output of a command that must have succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout.trim_end().to_owned()
    }
}

impl Appliance {
    /// An appliance that is running.
    pub fn running() -> Self {
        Self::running_with("")
    }

    /// An appliance that is running, with more settings: whole tables after the usual ones.
    pub fn running_with(more: &str) -> Self {
        let mut appliance = Self::initialized_with(more);
        appliance.start();
        appliance
    }

    /// As [`Appliance::running_with`], with a clock that [`Appliance::set_ahead`] moves. libfaketime replaces the clock
    /// of the system.
    pub fn running_with_clock(more: &str) -> Self {
        let mut appliance = Self::initialized_with_clock();
        appliance.add_settings(more);
        appliance.start();
        appliance
    }

    /// An appliance after `init`, not running, with a clock that [`Appliance::set_ahead`] moves.
    pub fn initialized_with_clock() -> Self {
        let mut appliance = Self::initialized();
        let clock = appliance.folder.path().join("clock");
        std::fs::write(&clock, "+0s").unwrap();
        appliance.clock = Some(clock);
        appliance
    }

    /// An appliance that is running, and for which it is always `now` (`2026-05-03 09:00:00`, in UTC): its pages and
    /// answers are the same in each run.
    pub fn frozen_at(now: &str) -> Self {
        let mut appliance = Self::configured("");
        let clock = appliance.folder.path().join("clock");
        std::fs::write(&clock, now).unwrap();
        appliance.clock = Some(clock);
        appliance.is_frozen = true;
        appliance.run(&["init"]).ok();
        appliance.start();
        appliance
    }

    /// Adds whole tables to the configuration.
    pub fn add_settings(&self, more: &str) {
        let mut config = std::fs::File::options().append(true).open(self.config()).unwrap();
        config.write_all(more.as_bytes()).unwrap();
    }

    /// Gives the server's clock to a program before it starts.
    pub fn share_clock(&self, command: &mut Command) {
        if let Some(clock) = &self.clock {
            let library = super::tool("libfaketime.so.1");
            command.env("LD_PRELOAD", library);
            if self.is_frozen {
                // Not from the file, which threads would read anew at every look at the clock: now and then, one of them
                // saw the time of the machine.
                command.env("FAKETIME", std::fs::read_to_string(clock).unwrap());
            } else {
                command.env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
            }
            // Timers of the runtime are not affected.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC");
        }
    }

    /// Sets the server's clock `seconds` ahead of the machine's. Commands use the clock of the machine.
    pub fn set_ahead(&self, seconds: u64) {
        self.set_clock(i64::try_from(seconds).unwrap());
    }

    /// As [`Appliance::set_ahead`], with a negative number for a clock that is behind.
    pub fn set_clock(&self, seconds: i64) {
        let clock = self.clock.as_ref().expect("start it with running_with_clock");
        // Replaced by a rename, because the server may read it at any moment.
        let next = clock.with_extension("next");
        std::fs::write(&next, format!("{seconds:+}s")).unwrap();
        std::fs::rename(next, clock).unwrap();
    }

    /// An appliance after `init`, not running.
    pub fn initialized() -> Self {
        Self::initialized_with("")
    }

    pub fn initialized_with(more: &str) -> Self {
        let appliance = Self::configured(more);
        appliance.run(&["init"]).ok();
        appliance
    }

    /// An appliance with the database of a published snapshot (`domicile.sqlite` and `keyring` in `snapshot`), not running.
    pub fn with_snapshot(snapshot: &Path) -> Self {
        let appliance = Self::initialized();
        for (from, to) in [("domicile.sqlite", appliance.live()), ("keyring", appliance.keyring())] {
            std::fs::copy(snapshot.join(from), &to).unwrap();
            // A checkout may have given more people the right to read it, which the program refuses.
            std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        // So is a live database: in this mode, and without what a snapshot says of itself.
        appliance.database().execute_batch("pragma journal_mode = wal; delete from snapshot_stamp").unwrap();
        appliance
    }

    /// Only a configuration file.
    pub fn configured(more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let root = folder.path().display();
        let mail = if more.contains("[mail]") {
            String::new()
        } else {
            format!(
                "[mail]\ntransport = \"directory\"\nfrom = \"Domicile <account@example.org>\"\ndirectory = \"{root}/mail\"\n"
            )
        };
        let text = format!(
            "region = \"eu\"\npublic_url = \"http://localhost:{port}\"\ndata_dir = \"{root}/data\"\nkeyring = \"{root}/keyring\"\n\
             [listen]\naddress = \"127.0.0.1:{port}\"\n[forward_auth]\nallow = [\"127.0.0.1/32\"]\n\
             [[prices]]\nsku = \"gpu.h100\"\nunit = \"second\"\nprice = \"0.001\"\n{mail}{more}"
        );
        std::fs::write(folder.path().join("domicile.toml"), text).unwrap();
        Self { folder, port, server: None, clock: None, is_frozen: false }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("domicile.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The live database.
    pub fn live(&self) -> PathBuf {
        Layout::new(&self.data()).live()
    }

    pub fn keyring(&self) -> PathBuf {
        self.folder.path().join("keyring")
    }

    pub fn mailbox(&self) -> Mailbox {
        Mailbox(self.folder.path().join("mail"))
    }

    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Replaces `from` by `to` in the configuration.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        std::fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// The program with the configuration of the appliance and without the environment of the tests.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
        command.args(arguments).env_clear().env("DOMICILE_CONFIG", self.config()).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.is_frozen {
            self.share_clock(&mut command);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_with_input(arguments, "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> CommandOutput {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        finish(&mut command, input)
    }

    /// Starts the server and waits until it reports that it is ready, as systemd does.
    pub fn start(&mut self) {
        let command = self.command(&["serve"]);
        self.start_as(command);
    }

    /// As [`Appliance::start`], with a socket that stays open when the server stops, as systemd passes it.
    pub fn start_behind(&mut self, listener: &TcpListener) {
        let mut command = self.command_behind(listener);
        command.stdout(Stdio::null());
        self.start_as(command);
    }

    /// `serve` with this socket.
    pub fn command_behind(&self, listener: &TcpListener) -> Command {
        let serve = self.command(&["serve"]);
        let mut command = Command::new("sh");
        // The first socket is number 3, and the process that it is for is named.
        let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve";
        command.args(["-c", script]).arg(serve.get_program()).env_clear();
        command.env("DOMICILE_CONFIG", self.config()).current_dir(self.folder.path());
        command.stdin(OwnedFd::from(listener.try_clone().unwrap())).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// As [`Appliance::start`], with a command that becomes the server.
    pub fn start_as(&mut self, mut command: Command) {
        let socket_path = self.folder.path().join("notify");
        let _ = std::fs::remove_file(&socket_path);
        let socket = UnixDatagram::bind(&socket_path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        self.share_clock(&mut command);
        command.env("NOTIFY_SOCKET", &socket_path).stdout(Stdio::null()).stderr(log);
        let mut server = command.spawn().unwrap();
        let watch = Stopwatch::start();
        let mut message = [0u8; 512];
        loop {
            let notification =
                socket.recv(&mut message).map(|length| String::from_utf8_lossy(&message[..length]).into_owned());
            if notification.is_ok_and(|text| text.contains("READY=1")) {
                break;
            }
            if let Some(status) = server.try_wait().unwrap() {
                panic!("the server ended with {status} instead of serving:\n{}", self.log());
            }
            assert!(watch.elapsed() < START_TIMEOUT, "the server did not become ready:\n{}", self.log());
        }
        self.server = Some(server);
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The log of the server so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// A connection to the database of the running server.
    pub fn database(&self) -> Connection {
        let keyring = Keyring::load(&self.keyring(), false).unwrap();
        let connection = Connection::open(Layout::new(&self.data()).live()).unwrap();
        connection.execute_batch(&format!("pragma key = \"{}\"", keyring.database_key_pragma().expose())).unwrap();
        connection.busy_timeout(START_TIMEOUT).unwrap();
        connection
    }

    /// All stored data, table by table, read over a separate connection while the server runs. Without what the server
    /// itself writes: its jobs and the time, the checkpoint of each minute, when a session was last seen, and how the delivery of a
    /// mail goes.
    pub fn content(&self) -> BTreeMap<String, String> {
        let connection = self.database();
        let tables = "
            select name from sqlite_schema
            where type = 'table' and name not like 'sqlite~_%' escape '~' and name not in ('job', 'clock', 'audit_tree')";
        let mut names = connection.prepare(tables).unwrap();
        let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let all_of = |table: &String| {
            let mut rows = connection.prepare(&format!("select * from \"{table}\"")).unwrap();
            let columns: Vec<String> = rows.column_names().into_iter().map(str::to_owned).collect();
            let read = rows.query_map([], |row| {
                let cell = |index: usize| Ok(format!("{}={:?}", columns[index], row.get::<_, Value>(index)?));
                (0..columns.len())
                    .filter(|index| columns[*index] != "last_seen_at")
                    .filter(|index| table != "mail_outbox" || !DELIVERY.contains(&columns[*index].as_str()))
                    .map(cell)
                    .collect::<Result<Vec<_>, _>>()
            });
            let mut rows: Vec<String> = read.unwrap().map(|row| row.unwrap().join(" ")).collect();
            rows.sort_unstable();
            rows.join("\n")
        };
        names.iter().map(|table| (table.clone(), all_of(table))).collect()
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("the server is not running").id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server is not running");
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Asks the server to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.request_stop();
        let mut server = self.server.take().expect("the server is not running");
        server.wait().unwrap()
    }

    /// Asks the server to stop.
    pub fn request_stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for the server to end by itself.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut server = self.server.take().expect("the server is not running");
        super::wait_for("the server's end", || server.try_wait().unwrap())
    }

    /// A new browser.
    pub fn browser(&self) -> Browser {
        Browser::at(self.port)
    }

    /// A request without a browser.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.port, method, path)
    }

    /// Creates a verified account with [`super::PASSWORD`] at the command line. Answers its id.
    pub fn account(&self, username: &str) -> String {
        let email = format!("{username}@example.org");
        let arguments =
            ["account", "create", "--email", &email, "--username", username, "--password-stdin", "--verified"];
        self.run_with_input(&arguments, super::PASSWORD).ok()
    }

    /// An operator who is signed in and has no second factor yet.
    pub fn operator_without_factor(&self, username: &str) -> Browser {
        let email = format!("{username}@example.org");
        let arguments = [
            "account",
            "create",
            "--email",
            &email,
            "--username",
            username,
            "--password-stdin",
            "--verified",
            "--operator",
        ];
        self.run_with_input(&arguments, super::PASSWORD).ok();
        let mut browser = self.browser();
        browser.sign_in(username);
        browser
    }

    /// An operator who is signed in and has an authenticator app, and the secret of the app. It used the code of this
    /// moment.
    pub fn operator(&self, username: &str) -> (Browser, String) {
        let mut browser = self.operator_without_factor(username);
        let secret = browser.set_up_app(domicile::base::Clock::system().now().unix_seconds());
        (browser, secret)
    }

    /// Creates a key of the account.
    pub fn api_key(&self, account: &str, scopes: &[&str]) -> String {
        let mut arguments = vec!["key", "create", "--account", account, "--name", "ci"];
        for scope in scopes {
            arguments.extend(["--scope", scope]);
        }
        self.run(&arguments).ok()
    }

    /// Creates a service. Answers its credential.
    pub fn service(&self, name: &str) -> String {
        self.run(&["service", "create", name]).ok()
    }

    /// The id of the account's workspace.
    pub fn workspace(&self, account: &str) -> String {
        let details: serde_json::Value =
            serde_json::from_str(&self.run(&["account", "show", account, "--json"]).ok()).unwrap();
        details["workspace"].as_str().unwrap().to_owned()
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// Runs a command to its end, with this standard input.
pub fn finish(command: &mut Command, input: &str) -> CommandOutput {
    let mut child = command.spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        // A command that fails before it reads closes its input first.
        let _ = stdin.write_all(input.as_bytes());
    }
    let mut stderr_pipe = child.stderr.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(pipe) = stderr_pipe.as_mut() {
            let _ = pipe.read_to_string(&mut text);
        }
        text
    });
    let mut stdout = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut stdout).unwrap();
    }
    let status = child.wait().unwrap();
    CommandOutput { status: status.code().unwrap_or(-1), stdout, stderr: reader.join().unwrap() }
}
