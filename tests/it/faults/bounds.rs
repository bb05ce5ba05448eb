//! Requests in bounds: slow and many clients, and the memory of the unit.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domicile::base::Stopwatch;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Reporter;
use crate::support::{Appliance, Call, free_port, wait_for};

/// A client that reads with a time limit.
struct Client(TcpStream);

impl Client {
    fn of(site: &Appliance) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(8))).unwrap();
        Self(stream)
    }

    fn send(&mut self, text: &str) -> &mut Self {
        // The server may have refused it already.
        let _ = self.0.write_all(text.as_bytes());
        self
    }

    /// What has arrived by the end of the connection, or until nothing comes for eight seconds.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether the server has ended the connection. Does not wait.
    fn is_closed(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    }
}

fn is_healthy(site: &Appliance) -> bool {
    site.call("GET", "/healthz").try_send().is_ok_and(|answer| answer.status == 200)
}

/// Lets this process have so many connections.
fn raise_limit(descriptors: u64) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= descriptors, "this test needs {descriptors} descriptors: raise `ulimit -Hn`");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

#[test]
fn row_27_a_form_without_our_cookie_is_refused_before_its_body_arrives() {
    let site = Appliance::running();
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let head = format!(
            "POST {{}} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 60000\r\nConnection: close\r\n\r\n"
        );
        for path in ["/signin", "/signup", "/forgot"] {
            let answer = Client::of(&site).send(&head.replace("{}", path)).rest();
            assert!(answer.starts_with("HTTP/1.1 403 "), "{path} {kind}: {answer}");
        }
    }
}

#[test]
fn row_17_without_descriptors_the_server_sheds_and_recovers() {
    raise_limit(2048);
    let mut site = Appliance::initialized();
    let metrics = free_port();
    site.reconfigure("[listen]", &format!("[listen]\nmetrics_address = \"127.0.0.1:{metrics}\""));
    let mut command = std::process::Command::new("prlimit");
    let server = site.command(&["serve"]);
    command.args(["--nofile=128:128"]).arg(server.get_program()).args(server.get_args()).env_clear();
    command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(site.folder());
    command.env("PATH", "/usr/bin:/bin");
    site.start_as(command);

    let mut crowd: Vec<Client> = (0..500).map(|_| Client::of(&site)).collect();
    for client in &mut crowd {
        client.send("GET /signin HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*\r\n\r\n");
    }
    let refused = wait_for("a refusal", || {
        crowd.iter_mut().take(100).find_map(|client| {
            client.0.set_nonblocking(true).unwrap();
            let mut buffer = [0; 2048];
            let length = client.0.read(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            text.starts_with("HTTP/1.1 503 ").then_some(text)
        })
    });
    assert!(refused.to_lowercase().contains("retry-after: 5"), "{refused}");
    assert!(refused.contains("text/html") && refused.contains("<h1>Try again in a moment</h1>"), "{refused}");
    assert!(refused.contains("x-request-id: ") && refused.contains("default-src 'none'"), "{refused}");
    drop(crowd);

    wait_for("the server answers again", || is_healthy(&site).then_some(()));
    let log = site.log();
    assert!(!log.contains("panicked"), "{log}");
    let text = Call::new(metrics, "GET", "/metrics").send().text();
    let name = "domicile_http_requests_total{class=\"page\",status=\"5xx\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert!(count.parse::<u64>().unwrap() > 0, "{text}");
}

#[test]
#[ignore = "deep: waits for the limits of slow clients"]
fn row_26_slow_clients_lose_their_connections_and_delay_nobody() {
    raise_limit(4096);
    let site = Appliance::running();
    let openapi = "GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    let service = Reporter::new(&site).service;
    let post = format!(
        "POST /v1/usage/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service}\r\nContent-Length: 90000\r\n\r\n["
    );
    let idle = descriptors_of(&site);
    // Unread answers fill the buffers of the kernel, so there are fewer readers.
    for (name, crowd, start, again) in [
        ("heads", 1000, "GET / HTTP/1.1\r\nHost: localhost\r\n", "X-Slow: 1\r\n"),
        ("bodies", 1000, post.as_str(), " "),
        ("readers", 200, openapi.as_str(), ""),
    ] {
        let mut clients: Vec<Client> = (0..crowd).map(|_| Client::of(&site)).collect();
        for client in &mut clients {
            client.send(start);
        }
        let watch = Stopwatch::start();
        let mut slowest = Duration::ZERO;
        loop {
            let asked = Stopwatch::start();
            assert!(is_healthy(&site), "{name}");
            slowest = slowest.max(asked.elapsed());
            // A slow reader reads nothing.
            let open = if name == "readers" {
                descriptors_of(&site).saturating_sub(idle)
            } else {
                clients.retain_mut(|client| !client.is_closed());
                clients.len()
            };
            if open < 20 {
                break;
            }
            assert!(watch.elapsed() < Duration::from_secs(60), "{name}: {open} are still open");
            for client in &mut clients {
                client.send(again);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        assert!(slowest < Duration::from_secs(1), "{name}: another request took {slowest:?}");
    }
}

fn descriptors_of(site: &Appliance) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", site.pid())).unwrap().count()
}

#[test]
#[ignore = "deep: fills the memory of a control group"]
fn row_19_a_crowd_of_large_bodies_stays_within_the_memory_of_the_unit() {
    raise_limit(8192);
    let unit = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/domicile.service")).unwrap();
    let max = unit.lines().find_map(|line| line.strip_prefix("MemoryMax=")).unwrap();
    let max = max.strip_suffix('M').unwrap().parse::<u64>().unwrap() << 20;
    let group = MemoryGroup::new(max);
    let mut site = Appliance::initialized();
    let server = site.command(&["serve"]);
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(group.processes()).arg(server.get_program());
    command
        .args(server.get_args())
        .env_clear()
        .envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(site.folder());
    site.start_as(command);

    // Two gigabytes, if all of it was taken.
    let service = Reporter::new(&site).service;
    let head = format!(
        "POST /v1/usage/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service}\r\nContent-Length: 8000000\r\n\r\n"
    );
    let piece = vec![b' '; 1 << 20];
    let mut clients: Vec<Client> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut clients: Vec<Client> = (0..250).map(|_| Client::of(&site)).collect();
                    for client in &mut clients {
                        client.0.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
                        client.send(&head);
                        let _ = client.0.write_all(&piece);
                        client.0.set_nonblocking(true).unwrap();
                    }
                    clients
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });

    // The answer to a connection that is closed while its body arrives can be lost on the way (RFC 9112 §9.6), so a lost
    // connection counts as refused too.
    let (mut refused, mut told) = (0, 0);
    let crowd = clients.len();
    wait_for("most are refused", || {
        clients.retain_mut(|client| {
            let mut first = [0; 1024];
            match client.0.read(&mut first) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                Ok(length) if length > 0 => {
                    let answer = String::from_utf8_lossy(&first[..length]).to_lowercase();
                    if !answer.starts_with("http/1.1 503 ") {
                        return false;
                    }
                    assert!(answer.contains("retry-after: "), "{answer}");
                    told += 1;
                }
                _ => {}
            }
            refused += 1;
            false
        });
        (refused > crowd / 2).then_some(())
    });
    assert!(told > 0, "{refused} of {crowd} were refused, and none was told");
    drop(clients);
    wait_for("the server answers", || is_healthy(&site).then_some(()));

    // Two at once are decoded; others are asked to come back.
    let picture = large_picture();
    let form = |csrf: &str| {
        let head = "Content-Disposition: form-data; name=";
        let text =
            format!("--edge\r\n{head}\"csrf\"\r\n\r\n{csrf}\r\n--edge\r\n{head}\"file\"; filename=\"a.png\"\r\n\r\n");
        [text.as_bytes(), &picture, b"\r\n--edge--\r\n"].concat()
    };
    let uploaded: Vec<u16> = std::thread::scope(|scope| {
        let uploads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let mut ada = site.browser();
                    ada.sign_in("ada-l");
                    let csrf = ada.get("/settings/profile").value_of("name=\"csrf\"");
                    let call = ada.call("POST", "/settings/profile/picture").header("Sec-Fetch-Site", "same-origin");
                    let call = call.header("Content-Type", "multipart/form-data; boundary=edge").body(form(&csrf));
                    // One that is refused before its body was read may lose its connection before it sees the answer.
                    call.try_send().map_or(503, |answer| answer.status)
                })
            })
            .collect();
        uploads.into_iter().map(|upload| upload.join().unwrap()).collect()
    });
    assert!(uploaded.contains(&303) && uploaded.iter().all(|status| [303, 503].contains(status)), "{uploaded:?}");
    let (peak, kills) = (group.peak(), group.kills());
    assert!(kills == 0 && peak < max, "{} MiB of {} MiB, {kills} kills", peak >> 20, max >> 20);
    println!("{} MiB of {} MiB at most; {refused} of {crowd} refused", peak >> 20, max >> 20);
}

/// The picture that needs most memory: eight megapixels with four channels of 16 bits.
fn large_picture() -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let pixels = image::ImageBuffer::from_pixel(2828, 2828, image::Rgba([0_u16, 99, 0, 40_000]));
    image::DynamicImage::ImageRgba16(pixels).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A control group with a memory limit, of version 1 or 2, whatever this machine has.
struct MemoryGroup {
    folder: PathBuf,
    is_v2: bool,
}

impl MemoryGroup {
    fn new(max: u64) -> Self {
        let root = Path::new("/sys/fs/cgroup");
        let is_v2 = root.join("cgroup.controllers").exists();
        let parent = if is_v2 { root.to_owned() } else { root.join("memory") };
        if is_v2 {
            // It may be on already.
            let _ = std::fs::write(parent.join("cgroup.subtree_control"), "+memory");
        }
        let folder = parent.join(format!("domicile-test-{}", std::process::id()));
        let needs =
            "this test makes a control group with a memory limit: run it as root, where /sys/fs/cgroup is writable";
        std::fs::create_dir(&folder).unwrap_or_else(|error| panic!("{needs} ({}: {error})", folder.display()));
        let file = folder.join(if is_v2 { "memory.max" } else { "memory.limit_in_bytes" });
        std::fs::write(&file, max.to_string()).unwrap_or_else(|error| panic!("{needs} ({}: {error})", file.display()));
        Self { folder, is_v2 }
    }

    fn processes(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// The most bytes that were used, with the page cache.
    fn peak(&self) -> u64 {
        let file = if self.is_v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        std::fs::read_to_string(self.folder.join(file)).unwrap().trim().parse().unwrap()
    }

    /// Processes that the kernel has killed because of the limit.
    fn kills(&self) -> u64 {
        let file = if self.is_v2 { "memory.events" } else { "memory.oom_control" };
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().trim().parse().unwrap()
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The kernel removes the folder once the server has ended.
        for _ in 0..200 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
