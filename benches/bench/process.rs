//! The server under test: a process of its own, asked by its id how much it has used.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Failure, fail, load};

/// Clock ticks of `/proc/<id>/stat` in a second; Linux reports in these whatever the kernel's own.
const TICKS_PER_SECOND: f64 = 100.0;
/// Starting may take this long, with a large database in a debug build.
const START_MAX: Duration = Duration::from_secs(60);
/// Reading a million keys ahead may take this long, with both cores busy.
const READING_MAX: Duration = Duration::from_secs(120);
/// What the server logs when it has read ahead; its log is all that says so from outside.
const HAS_READ: &str = "All keys are in memory.";
/// Warnings, and that line.
const LOGGED: &str = "warn,domicile::server::run=debug";
/// Stopping may take this long before it is ended the hard way.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Where a thread or process may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Core {
    /// Wherever the system likes.
    Any,
    /// On this one, so that server and load do not take turns on the same.
    Only(usize),
}

/// The server's core in comparisons.
pub const SERVERS: Core = Core::Only(0);
/// The load's core in comparisons.
pub const LOADS: Core = Core::Only(1);

/// Binds the calling thread, and what it starts from now on. On a machine of one core nothing is bound.
pub fn pin_this_thread(core: Core) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut set = rustix::thread::CpuSet::new();
    match core {
        Core::Only(core) => set.set(core),
        Core::Any => (0..cores.max(ALL_CORES)).for_each(|core| set.set(core)),
    }
    // Where it is refused, figures are noisier and still figures.
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

/// Gives the calling thread a priority.
pub fn set_priority(nice: i32) {
    // Only root goes first. Where it is refused, figures are noisier and still figures.
    let _ = rustix::process::setpriority_process(None, nice);
}

/// Cores named when nothing is to be bound; the system leaves out those that are not there.
const ALL_CORES: usize = 64;

/// A running server.
pub struct Server {
    child: Child,
    log: PathBuf,
    pub address: SocketAddr,
    /// From the start of the process to its first answer.
    pub started_in: Duration,
}

impl Server {
    /// Starts `program` and waits until it answers on `address`. Its log goes into the file `log`.
    pub fn start(mut program: Command, address: SocketAddr, core: Core, log: &Path) -> Result<Self, Failure> {
        let log_file = std::fs::File::create(log)?;
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file).env("RUST_LOG", LOGGED);
        let begun = Instant::now();
        let starting = std::thread::spawn(move || {
            pin_this_thread(core);
            program.spawn()
        });
        let child = starting.join().map_err(|_| fail("the server could not be started"))??;
        let mut server = Self { child, log: log.to_owned(), address, started_in: Duration::ZERO };
        loop {
            if load::once(address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").is_ok() {
                server.started_in = begun.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                let told = std::fs::read_to_string(log).unwrap_or_default();
                return Err(fail(format!("the server ended with {status}: {told}")));
            }
            if begun.elapsed() > START_MAX {
                return Err(fail("the server does not answer"));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Waits until every key that fits is in memory: a figure before that would be one of the start.
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

    /// Processor time used so far, user and system, all threads.
    pub fn cpu(&self) -> Duration {
        cpu_of(&self.child.id().to_string())
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> f64 {
        memory_mib_of(self.child.id(), "VmRSS:")
    }

    /// The most memory that was resident at any moment so far, in MiB.
    pub fn peak_mib(&self) -> f64 {
        memory_mib_of(self.child.id(), "VmHWM:")
    }

    /// Asks it to stop, waits, and ends it where it does not.
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
        let asked = Instant::now();
        while asked.elapsed() < STOP_MAX {
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

/// Processor time of a process; `self` is this one.
pub fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; fields are counted after it. utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

/// Processor time of the calling thread: what other programs do on the same core is not in it. Right to a few milliseconds.
pub fn cpu_of_this_thread() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn memory_mib_of(process: u32, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap_or_default();
    line.trim().split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// An address of the loopback interface that nobody listens on now.
pub fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
