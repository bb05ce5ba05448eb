//! A10: the server is restarted under load. Behind a socket that systemd keeps, no request fails or is refused.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use super::while_working;
use crate::support::{Appliance, free_port, tool, wait_for};

const RESTARTS: usize = 5;
const CLIENTS: usize = 4;

/// One request to verify a key. `keep`: over the connection of the last request, unless the server said that it closes it.
fn verify(port: u16, key: &str, kept: &mut Option<BufReader<TcpStream>>, keep: bool) -> std::io::Result<String> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => BufReader::new(TcpStream::connect(("127.0.0.1", port))?),
    };
    let last = if keep { "" } else { "Connection: close\r\n" };
    let request =
        format!("GET /v1/forward-auth HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {key}\r\n{last}\r\n");
    connection.get_mut().write_all(request.as_bytes())?;
    let mut status = String::new();
    connection.read_line(&mut status)?;
    let (mut length, mut closes) = (0, !keep);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        length = line.strip_prefix("content-length: ").map_or(length, |text| text.parse().unwrap());
        closes |= line == "connection: close";
    }
    std::io::copy(&mut (&mut connection).take(length), &mut std::io::sink())?;
    *kept = (!closes).then_some(connection);
    Ok(status.trim_end().to_owned())
}

#[test]
fn a10_restarts_behind_a_socket_of_systemd_fail_no_request() {
    let mut site = Appliance::initialized();
    let listener = TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    site.start_behind(&listener);
    site.account("ada-l");
    let (port, key) = (site.port, site.api_key("ada-l", &["read"]));
    let answered: [AtomicUsize; CLIENTS] = Default::default();

    let client = |number: usize, stop: &AtomicBool| {
        let (mut kept, mut failures) = (None, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            // Half of the clients keep their connections.
            match verify(port, &key, &mut kept, number.is_multiple_of(2)) {
                Ok(status) if status == "HTTP/1.1 200 OK" => {}
                Ok(status) => failures.push(status),
                Err(error) => failures.push(error.to_string()),
            }
            answered[number].fetch_add(1, Ordering::Relaxed);
        }
        failures
    };
    let counts = || answered.each_ref().map(|count| count.load(Ordering::Relaxed));
    let all_go_on = || {
        let before = counts();
        wait_for("every client", || counts().iter().zip(before).all(|(now, before)| *now > before + 20).then_some(()));
    };
    let (failures, ()) = while_working(CLIENTS, client, || {
        for _ in 0..RESTARTS {
            all_go_on();
            assert!(site.stop().success());
            site.start_behind(&listener);
        }
        all_go_on();
    });

    assert!(failures.is_empty(), "{} of {:?} requests failed: {failures:?}", failures.len(), counts());
}

#[test]
fn a_request_that_runs_when_the_stop_begins_is_answered() {
    let mut site = Appliance::running();
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", site.port)).unwrap());
    let body = "name=ada-l&password=wrong";
    let head = format!(
        "POST /signup HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        site.port,
        body.len()
    );
    stream.get_mut().write_all(head.as_bytes()).unwrap();
    let mut started = String::new();
    stream.read_line(&mut started).unwrap();
    assert_eq!(started, "HTTP/1.1 100 Continue\r\n");

    site.request_stop();
    // Its own socket is closed.
    wait_for("the stop", || TcpStream::connect(("127.0.0.1", site.port)).is_err().then_some(()));
    stream.get_mut().write_all(body.as_bytes()).unwrap();

    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let answer = answer.trim_start();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer:?}");
    assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer:?}");
    assert!(site.wait_for_end().success());
}

#[test]
fn a_socket_with_another_address_than_the_settings_is_refused() {
    let site = Appliance::initialized();
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = other.local_addr().unwrap();

    let refused = site.command_behind(&other).output().unwrap();

    let sentence = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{sentence}");
    let expected = format!("systemd listens on {address}, and listen.address is 127.0.0.1:{}.", site.port);
    assert!(sentence.contains(&expected), "{sentence}");
    assert!(sentence.contains("systemctl edit domicile.socket."), "{sentence}");
}

/// A socket that the server gave to the store of systemd, and what it said with it.
fn receive(store: &UnixDatagram) -> Option<(String, TcpListener)> {
    let (mut text, mut space) = ([0; 512], [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [std::io::IoSliceMut::new(&mut text)];
    let received = rustix::net::recvmsg(store, &mut parts, &mut rights, RecvFlags::CMSG_CLOEXEC).unwrap();
    let sockets = rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    Some((String::from_utf8_lossy(&text[..received.bytes]).into_owned(), TcpListener::from(sockets?)))
}

#[test]
fn sockets_in_the_store_of_systemd_stay_open_while_the_server_restarts() {
    let site = Appliance::initialized();
    let path = site.folder().join("store");
    let store = UnixDatagram::bind(&path).unwrap();
    store.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let start = |mut command: Command| {
        let server = command.env("NOTIFY_SOCKET", &path).env("FDSTORE", "16").stdout(Stdio::null()).spawn().unwrap();
        Ended(server)
    };
    let mut first = start(site.command(&["serve"]));
    let (said, socket) = wait_for("the socket", || receive(&store));
    assert_eq!(said, format!("FDSTORE=1\nFDNAME=domicile-listen-127.0.0.1_{}", site.port));
    assert_eq!(socket.local_addr().unwrap().port(), site.port);
    wait_for("the server", || site.call("GET", "/healthz").try_send().ok());
    first.stop();

    // Nobody serves, and connections wait.
    let mut waiting = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut again = site.command_behind(&socket);
    again.env("LISTEN_FDNAMES", said.split_once("FDNAME=").unwrap().1).stderr(Stdio::null());
    let mut second = start(again);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    second.stop();

    // The settings have another address now: the old socket is given back.
    site.reconfigure(&format!("127.0.0.1:{}", site.port), &format!("127.0.0.1:{}", free_port()));
    let mut moved = site.command_behind(&socket);
    moved.env("LISTEN_FDNAMES", said.split_once("FDNAME=").unwrap().1).stderr(Stdio::null());
    let mut third = start(moved);
    let removed = format!("FDSTOREREMOVE=1\nFDNAME=domicile-listen-127.0.0.1_{}", site.port);
    wait_for("the removal", || {
        let mut text = [0; 512];
        let length = store.recv(&mut text).unwrap();
        (text[..length] == *removed.as_bytes()).then_some(())
    });
    third.stop();
}

/// A server that ends with the test.
struct Ended(Child);

impl Ended {
    fn stop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        self.0.wait().unwrap();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_sockets_of_systemd_are_taken() {
    let site = Appliance::initialized();
    let address = format!("127.0.0.1:{}", site.port);
    let serve = site.command(&["serve"]);
    let mut command = Command::new(tool("systemd-socket-activate"));
    command.args(["--listen", &address, "--setenv"]).arg(format!("DOMICILE_CONFIG={}", site.config().display()));
    command.arg(serve.get_program()).arg("serve").stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();

    // The first connection starts the server, and waits for it.
    let answer = wait_for("the first answer", || site.call("GET", "/healthz").try_send().ok());

    assert_eq!(answer.status, 200);
    let pid = nix::unistd::Pid::from_raw(server.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(server.wait().unwrap().success());
}
