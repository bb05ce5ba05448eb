//! Each refusal names the cure of its own cause, and the demo, which needs no settings.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::refused;
use crate::support::{Appliance, HelperProcess, finish, free_port};

#[test]
fn a_file_in_another_encoding_is_refused_with_its_line() {
    let site = Appliance::configured("");
    let mut bytes = std::fs::read(site.config()).unwrap();
    let line = bytes.iter().filter(|byte| **byte == b'\n').count() + 2;
    bytes.extend(b"# settings\n# M\xfcnchen\n");
    std::fs::write(site.config(), bytes).unwrap();
    refused(&site, &["check"], 2, &[&format!("domicile.toml:{line}:"), "not UTF-8", "iconv"]);
}

#[test]
fn a_key_that_is_set_twice_is_named() {
    let site = Appliance::configured("[signup]\nmode = \"open\"\nmode = \"closed\"\n");
    refused(&site, &["check"], 2, &["domicile.toml:", "mode is set twice"]);
}

#[test]
fn links_of_kubernetes_are_ignored_with_a_warning() {
    let site = Appliance::initialized();
    let mut command = site.command(&["check"]);
    command.env("DOMICILE_PORT", "tcp://10.96.0.12:80").env("DOMICILE_PORT_80_TCP_ADDR", "10.96.0.12");
    let output = finish(command.env("DOMICILE_SERVICE_HOST", "10.96.0.12"), "");
    assert_eq!(output.status, 0, "{output:?}");
    for name in ["DOMICILE_PORT is ignored", "DOMICILE_PORT_80_TCP_ADDR", "DOMICILE_SERVICE_HOST", "enableServiceLinks"]
    {
        assert!(output.stderr.contains(name), "{name}: {output:?}");
    }
}

#[test]
fn check_refuses_a_relay_that_the_server_could_not_use_and_repeats_no_secret() {
    for (url, cure) in [
        ("smtps://me:hunter/2@smtp.example.org", "%2F"),
        ("smtps://me:hunter@2@smtp.example.org", "%40"),
        ("smtp://127.0.0.1:notaport", "port"),
        ("smtp://127.0.0.1:25?tls=requred", "tls=required"),
    ] {
        let mail = format!("[mail]\ntransport = \"smtp\"\nsmtp_url = \"{url}\"\nfrom = \"a@example.org\"\n");
        let site = Appliance::configured(&mail);
        for command in ["check", "serve"] {
            let output = refused(&site, &[command], 2, &["mail.smtp_url", cure]);
            assert!(!output.stderr.contains("hunter"), "{output:?}");
        }
    }
}

#[test]
fn an_international_name_is_served_under_the_name_that_browsers_send() {
    let mut site = Appliance::configured("");
    site.reconfigure("public_url = \"http://localhost:", "#");
    let text = std::fs::read_to_string(site.config()).unwrap();
    let tls = text.replace("[listen]\n", "[listen]\nbehind_proxy = true\n");
    std::fs::write(site.config(), format!("public_url = \"https://Konto.München.example\"\n{tls}")).unwrap();
    site.run(&["init"]).ok();
    let described = site.run(&["check"]).ok();
    assert!(described.contains("https://konto.xn--mnchen-3ya.example\n"), "{described}");
    site.start();
    let page = site.call("GET", "/signin").header("host", "konto.xn--mnchen-3ya.example").send();
    assert_eq!(page.status, 200);
}

#[test]
fn healthcheck_of_an_address_needs_no_settings() {
    let site = Appliance::running();
    let ask = |url: &str| {
        let mut command = site.command(&["healthcheck", "--url", url, "--config", "/nowhere"]);
        finish(command.env_remove("DOMICILE_CONFIG"), "")
    };
    assert_eq!(ask(&format!("http://127.0.0.1:{}", site.port)).ok(), "ready");
    assert_eq!(ask(&format!("http://127.0.0.1:{}/readyz", site.port)).ok(), "ready");
    let refused = ask(&format!("http://127.0.0.1:{}", free_port()));
    assert!(refused.status == 1 && refused.stderr.contains("not ready"), "{refused:?}");
    let refused = ask("account.example.org");
    assert!(refused.status == 2 && refused.stderr.contains("https://"), "{refused:?}");
}

fn demo(folder: &std::path::Path, port: u16) -> Command {
    // The process that runs the tests may ignore the hangup (nohup), and the demo would ignore it too.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_domicile"), "demo", "--port", &port.to_string()]);
    command.env_clear().env("TMPDIR", folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_demo_on_a_busy_port_shows_no_key_and_names_the_option() {
    let folder = tempfile::TempDir::new().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = finish(&mut demo(folder.path(), busy.local_addr().unwrap().port()), "");
    assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(output.stderr.contains("domicile demo --port"), "{output:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_demo_whose_terminal_is_closed_leaves_no_folder() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = demo(folder.path(), free_port());
    let mut demo = HelperProcess::start(command.stderr(Stdio::null()));
    while !demo.next_line().contains("introspect") {}
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    demo.stop_with(Signal::SIGHUP);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
