//! Small Debians that are booted as containers.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use super::root;

/// Booting takes one second, and much longer on a busy machine.
const BOOT_SECONDS_MAX: u64 = 120;
/// How long the end of a container may take; usually it takes no time.
const END_SECONDS_MAX: u64 = 20;

/// A booted Debian. It ends with the test, whether the test passes or not.
pub struct Machine {
    folder: PathBuf,
    container: Child,
    /// The id of its first process, for `nsenter`.
    init_pid: u32,
}

impl Machine {
    pub fn boot() -> Self {
        needs("debootstrap", "debootstrap");
        needs("systemd-nspawn", "systemd-container");
        needs("nsenter", "util-linux");
        let me = run(Command::new("id").arg("-u"));
        assert_eq!(both(&me).trim(), "0", "only root can boot a container: run the tests as root");
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("domicile-package-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let log = std::fs::File::create(folder.join("boot.log")).unwrap();
        let (debian, deb) = {
            let _lock = lock_package();
            // A copy, because the next test process makes the package again.
            let deb = folder.join("domicile.deb");
            std::fs::copy(package(), &deb).unwrap();
            (minbase(), deb)
        };
        let container = Command::new(root().join("tests/package/boot.sh"))
            .arg(&name)
            .args([debian, &deb])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut machine = Self { folder, container, init_pid: 0 };
        let boot_log = machine.folder.join("boot.log");
        let log = || std::fs::read_to_string(&boot_log).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(BOOT_SECONDS_MAX);
        loop {
            assert!(
                Instant::now() < deadline,
                "the container did not boot in {BOOT_SECONDS_MAX} s. Its log:\n{}",
                log()
            );
            if let Some(status) = machine.container.try_wait().unwrap() {
                panic!("systemd-nspawn ended with {status}. Its log:\n{}", log());
            }
            let id = machine.container.id();
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            if let Some(first) = children.split_whitespace().next().and_then(|first| first.parse().ok()) {
                machine.init_pid = first;
                let state = both(&machine.sh("systemctl is-system-running 2>/dev/null"));
                if ["running", "degraded"].contains(&state.trim()) {
                    return machine;
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a script in the container.
    fn sh(&self, script: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init_pid.to_string(), "--all", "--", "/usr/bin/env", "-i"]);
        command.args([
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LC_ALL=C.UTF-8",
        ]);
        run(command.args(["DEBIAN_FRONTEND=noninteractive", "/bin/sh", "-e", "-c", script]))
    }

    /// Runs a script, which must succeed. Answers its standard output.
    #[track_caller]
    pub fn ok(&self, script: &str) -> String {
        let output = self.sh(script);
        assert!(
            output.status.success(),
            "{script}\nended with {}:\n{}\n{}",
            output.status,
            both(&output),
            self.diagnostics()
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a script, which must fail. Answers its output.
    #[track_caller]
    pub fn refused(&self, script: &str) -> String {
        let output = self.sh(script);
        assert!(!output.status.success(), "{script}\nwas not refused:\n{}\n{}", both(&output), self.diagnostics());
        both(&output).trim().to_owned()
    }

    /// Waits until a script succeeds.
    #[track_caller]
    pub fn until(&self, script: &str) {
        let deadline = Instant::now() + Duration::from_secs(BOOT_SECONDS_MAX);
        while !self.sh(script).status.success() {
            assert!(Instant::now() < deadline, "{script}\nnever succeeded.\n{}", self.diagnostics());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Mode, owner and group of a file in the container.
    #[track_caller]
    pub fn modes(&self, path: &str) -> String {
        self.ok(&format!("stat -c '%a %U %G' {path}"))
    }

    /// A path in the container, as this machine sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init_pid))
    }

    /// Does something, for example requests, in the network of the container.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = std::fs::File::open(format!("/proc/{}/ns/net", self.init_pid)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(network.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread.join().unwrap_or_else(|_| panic!("it failed in the container.{}", self.diagnostics()))
        })
    }

    /// What an admin would look at next.
    fn diagnostics(&self) -> String {
        let script = "systemctl status --no-pager domicile; journalctl -u domicile --no-pager -n 60; \
                    ls -lR /etc/domicile /var/lib/domicile; cat /etc/domicile/domicile.toml | grep -v '^#' | grep .";
        format!("\n---- inside the container: {script}\n{}", both(&self.sh(&format!("set +e; {script}"))))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // When systemd-nspawn gets the signal, it ends the first process, and all others end with that one.
        run(Command::new("kill").arg(self.container.id().to_string()));
        let deadline = Instant::now() + Duration::from_secs(END_SECONDS_MAX);
        let has_ended = |container: &mut Child| container.try_wait().is_ok_and(|status| status.is_some());
        while !(has_ended(&mut self.container) && self.remove_groups()) {
            if Instant::now() > deadline {
                eprintln!("the container of process {} did not end in {END_SECONDS_MAX} s", self.container.id());
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Machine {
    /// Removes the control groups of the container. `false`: a process is still in them.
    fn remove_groups(&self) -> bool {
        let name = self.folder.file_name().unwrap_or_default();
        let groups = ["", "unified", "systemd"].map(|tree| Path::new("/sys/fs/cgroup").join(tree).join(name));
        groups.iter().filter(|group| group.exists()).all(|group| {
            // The deepest group first. Their files are virtual and need not be deleted.
            run(Command::new("find").arg(group).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]))
                .status
                .success()
        })
    }
}

/// The package with the binary under test, made once in each process. Call it with [`lock_package`].
pub fn package() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // The binary is already built, like these tests. A build here would replace it while other tests use it.
        let mut dev = Command::new(root().join("dev"));
        let output = run(dev.args(["deb", "--profile", "dev", "--no-build"]).current_dir(root()));
        assert!(output.status.success(), "./dev deb failed:\n{}", both(&output));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

/// A small Debian, made once and kept. Call it with [`lock_package`].
fn minbase() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let output = run(&mut Command::new(root().join("tests/package/minbase.sh")));
        assert!(output.status.success(), "tests/package/minbase.sh failed:\n{}", both(&output));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

/// Until the file is dropped, no other test in any process makes the package or the small Debian.
pub fn lock_package() -> std::fs::File {
    std::fs::create_dir_all(root().join("tests/.cache")).unwrap();
    let file = std::fs::File::create(root().join("tests/.cache/package.lock")).unwrap();
    file.lock().unwrap();
    file
}

#[track_caller]
pub fn needs(command: &str, package: &str) {
    let exists = run(Command::new("sh").args(["-c", &format!("command -v {command}")])).status.success();
    assert!(exists, "{command} is missing. Run ./dev tools, or: apt-get install --no-install-recommends {package}");
}

pub fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"))
}

pub fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
