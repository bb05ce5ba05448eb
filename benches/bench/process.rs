//! The server under test: a separate process, whose resource usage the system reports by its process id.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cores::{Core, pin_this_thread};
use crate::{Failure, fail, load};

/// The clock ticks per second of `/proc/<id>/stat`. Linux always reports in these units.
const TICKS_PER_SECOND: f64 = 100.0;
/// The maximum duration of a start, with a large database in a debug build.
const START_MAX: Duration = Duration::from_secs(60);
/// The maximum time to load a million keys into memory, while both cores are busy.
const READING_MAX: Duration = Duration::from_secs(120);
/// What the server logs when all keys are in memory. Only the log shows this from outside.
const HAS_READ: &str = "All keys are in memory.";
/// The log filter: warnings, and that message.
const LOGGED: &str = "warn,domicile::server::run=debug";
/// How long a stop may take before the process is killed.
const STOP_MAX: Duration = Duration::from_secs(15);

/// A running server.
pub struct Server {
    child: Child,
    log: PathBuf,
    /// What is locked as long as it runs.
    lock: Option<File>,
    pub address: SocketAddr,
    /// The time from the start of the process to its first answer.
    pub started_in: Duration,
}

impl Server {
    /// Starts `program` and waits until it answers on `address`. It writes its log into the file `log`.
    pub fn start(mut program: Command, address: SocketAddr, core: Core, log: &Path) -> Result<Self, Failure> {
        let log_file = File::create(log)?;
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file).env("RUST_LOG", LOGGED);
        let begun = Instant::now();
        let starting = std::thread::spawn(move || {
            pin_this_thread(core);
            program.spawn()
        });
        let child = starting.join().map_err(|_| fail("the server could not be started"))??;
        let mut server = Self { child, log: log.to_owned(), lock: None, address, started_in: Duration::ZERO };
        loop {
            if load::once(address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").is_ok() {
                server.started_in = begun.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                return Err(fail(format!("the server ended with {status}: {text}")));
            }
            if begun.elapsed() > START_MAX {
                return Err(fail("the server does not answer"));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Keeps the lock on a file until the server is stopped.
    pub fn with(mut self, lock: File) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Waits until all keys that fit are in memory. A measurement before that would include the start.
    pub fn wait_until_read(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        while !std::fs::read_to_string(&self.log)?.contains(HAS_READ) {
            if begun.elapsed() > READING_MAX {
                return Err(fail(format!("the server never logged \"{HAS_READ}\"")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The CPU time used so far by all threads, user and system.
    pub fn cpu(&self) -> Duration {
        cpu_of(&self.child.id().to_string())
    }

    /// The resident memory in MiB.
    pub fn resident_mib(&self) -> f64 {
        memory_mib_of(self.child.id(), "VmRSS:")
    }

    /// The peak of the resident memory in MiB.
    pub fn peak_mib(&self) -> f64 {
        memory_mib_of(self.child.id(), "VmHWM:")
    }

    /// Sends SIGTERM and waits. Kills the process if it does not stop in time.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        self.lock = None;
        let stopping_since = Instant::now();
        while stopping_since.elapsed() < STOP_MAX {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The CPU time of a process; `self` is this process.
pub fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may have any characters, so fields are counted after it. utime and stime are fields 14
    // and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

/// The CPU time of the calling thread, without that of other programs on the same core. Accurate to a few milliseconds.
pub fn cpu_of_this_thread() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn memory_mib_of(process: u32, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap_or_default();
    line.trim().split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// An address of the loopback interface that no program listens on now.
pub fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
