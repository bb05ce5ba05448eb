//! `domicile doctor`: faults are made one by one, and it names the cause and the cure of each.

mod world;

use std::os::unix::fs::chown;

use serde_json::Value;

use crate::support::{Appliance, free_port};
use world::{Certificate, Front, World, relay};

/// The settings of a relay at this port of the machine.
fn mail(port: u16, scheme: &str) -> String {
    format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"a@example.org\"\nsmtp_url = \"{scheme}://me:hunter2@127.0.0.1:{port}\"\n"
    )
}

#[test]
#[ignore = "deep: mounts small disks"]
fn each_fault_of_settings_and_files_is_named_with_its_cure() {
    let world = World::new();
    world.expect_healthy();
    let site = &world.site;

    // Settings.
    let with = |more: &str, name: &str, words: &[&str]| {
        world.with_settings(|text| format!("{text}{more}"), name, "failed", words)
    };
    with("[sesion]\nidle_timeout = \"30m\"\n", "configuration", &["sesion.idle_timeout", "domicile check"]);
    with("[session\n", "configuration", &["TOML"]);
    with("[signup]\nmode = \"open\"\nmode = \"open\"\n", "configuration", &["mode is set twice"]);
    world.with_settings(
        |text| {
            text.replace(
                "[mail]\ntransport = \"directory\"",
                "[mail]\ntransport = \"smtp\"\nsmtp_url = \"smtp://a:b/c@relay.example\"",
            )
        },
        "configuration",
        "failed",
        &["percent-encoded", "%2F"],
    );
    world.with_settings(
        |text| text.replace("region = \"eu\"", "region = \"us\""),
        "database",
        "failed",
        &["region \"eu\"", "Set region"],
    );
    world.with_settings(
        |text| text.replace("transport = \"directory\"", "transport = \"log\""),
        "mail",
        "warning",
        &["no mail is sent", "smtp_url"],
    );
    let latin = [std::fs::read(site.config()).unwrap(), b"# M\xfcnchen\n".to_vec()].concat();
    world.with_file(&site.config(), &latin, "configuration", &["not UTF-8", "iconv"]);
    world.without(&site.config(), "configuration", &["does not exist", "domicile init"]);
    world.with_mode(
        &site.config(),
        0o644,
        "settings-file",
        "warning",
        &["everybody on this machine can read", "chmod 640"],
    );
    world.with_mode(&site.config(), 0o666, "settings-file", "failed", &["everybody can change", "chmod 640"]);

    // The keyring.
    let other = Appliance::initialized();
    world.without(&site.keyring(), "keyring", &["does not exist", "safe place"]);
    world.with_mode(&site.keyring(), 0o644, "keyring", "failed", &["chmod 600"]);
    world.with_file(
        &site.keyring(),
        &std::fs::read(other.keyring()).unwrap(),
        "database",
        &["another appliance", "right keyring"],
    );
    world.with_file(&site.keyring(), b"nothing", "keyring", &["safe place"]);

    // Files.
    let snapshot = site.data().join("domicile.sqlite");
    world.with_mode(&snapshot, 0o644, "files", "failed", &["other users can use", "chmod -R go="]);
    world.with_mode(&site.data(), 0o755, "files", "failed", &["other users can use", "chmod -R go="]);
    world.with_mode(
        &site.data().join("tombstones.jsonl"),
        0o400,
        "files",
        "failed",
        &["cannot read and write", "chmod -R u+rwX"],
    );
    chown(&snapshot, Some(12345), None).unwrap();
    world.expect("files", "failed", &["user 12345", "chown -R"]);
    chown(&snapshot, Some(0), None).unwrap();
    let data = |folder: &str| {
        let from = format!("data_dir = \"{}\"", site.data().display());
        let to = format!("data_dir = \"{folder}\"");
        move |text: String| text.replace(&from, &to)
    };
    world.with_settings(data("/nowhere"), "files", "failed", &["/nowhere", "domicile init"]);

    // Disks, in a mount namespace of its own.
    let disk = site.folder().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let small = data(disk.to_str().unwrap());
    let mount = |options: &str| format!("mount -t tmpfs -o mode=0700,{options} tmpfs {}", disk.display());
    world.with_settings_in(&mount("size=512m"), &small, "file-system", &["in memory", "folder on a disk"]);
    world.with_settings_in(&mount("size=8m"), &small, "disk", &["too little for the next snapshot", "Free some space"]);
    world.with_settings_in(&mount("size=512m,nr_inodes=20"), &small, "disk", &["more files", "Free some space"]);
    let read_only = format!("mount --bind {0} {0} && mount -o remount,ro,bind {0}", site.data().display());
    world.with_settings_in(&read_only, &|text| text, "file-system", &["read-only", "mount it writable"]);
    std::fs::write(site.folder().join("meminfo"), "MemTotal: 131072 kB\n").unwrap();
    let little = format!("mount --bind {} /proc/meminfo", site.folder().join("meminfo").display());
    world.with_settings_in(&little, &|text| text, "memory", &["can have 128 MiB on this machine", "more memory"]);

    // What is stored.
    world.without(&site.live(), "database", &["domicile restore"]);
    let journal = site.data().join("tombstones.jsonl");
    world.without(&journal, "journal", &["is missing", "systemctl restart"]);
    world.with_file(&journal, b"notes of an admin\n", "journal", &["line 1", "mv "]);
    world.without(&snapshot, "snapshot", &["nothing to back up", "domicile snapshot now"]);
    world.with_file(&snapshot, b"nothing", "snapshot", &["cannot be read as a snapshot", "domicile snapshot now"]);
    world.expect_healthy();
}

#[test]
fn each_fault_around_the_appliance_is_named_with_its_cure() {
    let mut world = World::new();
    let url = world.site.port;
    let at = |port: u16| {
        move |text: String| text.replace(&format!("https://localhost:{url}"), &format!("https://localhost:{port}"))
    };

    // The public address and its certificate.
    world.with_settings(
        |text| text.replace("public_url = \"https://localhost:", "public_url = \"https://account.invalid:"),
        "dns",
        "failed",
        &["account.invalid of public_url has no address", "DNS"],
    );
    world.with_settings(at(free_port()), "port", "failed", &["nothing answers", "firewall"]);
    for (certificate, state, words) in [
        (Certificate::Expired, "failed", ["has expired", "Renew it"]),
        (Certificate::NotYetValid, "failed", ["not valid yet", "timedatectl"]),
        (Certificate::OtherName, "failed", ["another name than localhost", "public_url"]),
        (Certificate::UnknownIssuer, "failed", ["does not trust its issuer", "fullchain.pem"]),
        (Certificate::EndsSoon, "warning", ["ends within 7 days", "Renew it"]),
        (Certificate::None, "failed", ["does not speak TLS", "listen.tls"]),
    ] {
        let front = Front::fixed(world.identity(certificate), "200 OK");
        world.with_settings(at(front.port), "certificate", state, &words);
    }
    let self_signed = Front::fixed(world.identity(Certificate::UnknownIssuer), "200 OK");
    let both = |text: String| at(self_signed.port)(text).replace("tls = \"files\"", "tls = \"self-signed\"");
    world.with_settings(both, "certificate", "failed", &["self-signed", "authority"]);

    // A proxy in front.
    let foreign = Front::fixed(world.identity(Certificate::Good), "200 OK");
    world.with_settings(
        at(foreign.port),
        "proxy",
        "failed",
        &["another program or another appliance", "lead to this server"],
    );
    let dead = Front::fixed(world.identity(Certificate::Good), "502 Bad Gateway");
    world.with_settings(at(dead.port), "proxy", "failed", &["cannot reach this server", "listen.address"]);
    let other = world.other_appliance();
    world.with_settings(at(other.port), "proxy", "failed", &["another appliance", "lead to this server"]);

    // The clock of this machine.
    world.at_time("+2h", "clock", "failed", &["seconds apart", "timedatectl"]);
    world.at_time("-3d", "clock-steps", "failed", &["the last change was at", "clock confirm"]);

    // Mail, and other machines.
    for (script, words) in [
        ("535 5.7.8 wrong", ["535", "Correct name and password"]),
        ("530 5.7.0 first STARTTLS", ["530", "smtps://"]),
        ("454 4.7.0 not now", ["454", "tried again by itself"]),
        ("500 what", ["500", "Correct name and password"]),
    ] {
        let port = relay(script);
        world.with_mail(&mail(port, "smtp"), "mail", &words);
    }
    world.with_mail(&mail(relay("421 4.3.2 closed"), "smtps"), "mail", &["", "smtp:// for ports 25"]);
    world.with_mail(&mail(free_port(), "smtp"), "mail", &["", "host and port"]);
    let egress = |host: &str| format!("[[egress]]\nhost = \"{host}\"\nregion = \"eu\"\npurpose = \"mail\"\n");
    world.with_settings(
        |text| text + &egress("relay.invalid"),
        "egress",
        "failed",
        &["relay.invalid has no address", "[[egress]]"],
    );
    world.with_settings(|text| text + &egress("127.0.0.1"), "egress", "failed", &["127.0.0.1 port 443", "firewall"]);
    let provider = format!(
        "[oauth.oidc.corp]\nissuer = \"https://localhost:{}\"\nclient_id = \"x\"\nclient_secret = \"y\"\n",
        free_port()
    );
    world.with_settings(|text| text + &provider, "sign-in", "failed", &["corp", "issuer"]);

    // Care that is due, and a server that does not run.
    let waived = world.site.run(&["keyring", "rotate"]);
    assert_eq!(waived.status, 0, "{waived:?}");
    world.expect("escrow", "warning", &["has not been exported", "keyring export"]);
    let snapshot = world.site.data().join("domicile.sqlite");
    let kept = std::fs::read(&snapshot).unwrap();
    std::fs::write(&snapshot, &kept[..kept.len() / 2]).unwrap();
    world.site.run(&["drill"]);
    std::fs::write(&snapshot, &kept).unwrap();
    world.expect("drill", "failed", &["drill", "domicile drill"]);
    world.site.stop();
    world.expect("server", "failed", &["no server is running", "systemctl start domicile"]);
    world.site.run(&["service", "create", "late"]).ok();
    world.at_time("+3h", "snapshot", "failed", &["although there are changes", "domicile snapshot now"]);
    let live = world.site.live();
    let mut bytes = std::fs::read(&live).unwrap();
    bytes[..4096].fill(0x5a);
    world.with_file(
        &live,
        &bytes,
        "database",
        &["keyring is right", "opens the published snapshot", "domicile restore"],
    );
    // What ended access is in the journal.
    world.site.run(&["service", "revoke", "late"]).ok();
    let mut bytes = std::fs::read(&live).unwrap();
    bytes[..4096].fill(0x5a);
    std::fs::rename(&snapshot, snapshot.with_extension("away")).unwrap();
    world.with_file(&live, &bytes, "database", &["it has signed the journal", "domicile restore"]);
    let journal = world.site.data().join("tombstones.jsonl");
    std::fs::rename(&journal, journal.with_extension("away")).unwrap();
    world.with_file(&live, &bytes, "database", &["or the file is damaged", "right keyring", "domicile restore"]);
}

#[test]
fn what_a_proxy_does_to_requests_is_found() {
    let mut world = World::new();
    world.site.stop();
    let identity = world.identity(Certificate::Good);
    let port = world.site.port;
    let front = |edit: fn(String) -> String| Front::forwarding(identity.clone(), port, edit);
    let set = |world: &mut World, trusted: &str| {
        let listen = format!("[listen]\nbehind_proxy = true\ntrusted_proxies = [{trusted}]\n");
        world.replace_listen(&listen);
        world.site.start();
    };
    set(&mut world, "\"127.0.0.1/32\"");
    let good =
        front(|head| without_claim(head).replacen("\r\n", "\r\nX-Forwarded-For: 192.0.2.77, 198.51.100.9\r\n", 1));
    world.behind(&good, "ok", &["198.51.100.9"]);
    let unchanged = front(|head| head);
    world.behind(&unchanged, "failed", &["visitors can choose", "proxy_add_x_forwarded_for"]);
    let renamed = front(|head| {
        head.trim_end()
            .lines()
            .map(|line| if line.starts_with("host:") { "host: backend" } else { line })
            .collect::<Vec<_>>()
            .join("\r\n")
            + "\r\n\r\n"
    });
    world.behind(&renamed, "failed", &["Host backend", "proxy_set_header Host"]);
    let plain = front(|head| {
        without_claim(head).replacen("\r\n", "\r\nX-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: http\r\n", 1)
    });
    world.behind(&plain, "warning", &["visitors use http", "redirect"]);
    world.site.stop();
    set(&mut world, "");
    world.behind(
        &good,
        "failed",
        &["takes the proxy at 127.0.0.1 for the visitor", "trusted_proxies = [\"127.0.0.1\"]"],
    );
}

/// The head of a request without the address that the doctor claims.
fn without_claim(head: String) -> String {
    head.trim_end().lines().filter(|line| !line.starts_with("x-forwarded-for")).collect::<Vec<_>>().join("\r\n")
        + "\r\n\r\n"
}

#[test]
fn a_new_appliance_is_healthy_except_for_what_is_due_and_nothing_secret_is_told() {
    let site = Appliance::running();
    site.run(&["snapshot", "now"]).ok();
    let output = site.run(&["doctor", "--json"]);
    // Its own request is not taken for that of a proxy.
    assert!(!site.log().contains("A proxy at"), "{}", site.log());
    let value: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    for check in value["checks"].as_array().unwrap() {
        let state = check["state"].as_str().unwrap();
        let has_cure = check["cure"].as_str().is_some_and(|cure| !cure.is_empty());
        assert_eq!(has_cure, state == "warning" || state == "failed", "{check}");
        // The folder for temporary files may be in memory.
        assert!(state != "failed" || check["name"] == "file-system", "{check}");
    }

    let text = site.run(&["doctor"]);
    assert!(
        text.stdout.contains("warning  escrow: ") && text.stdout.contains("-> Run: domicile keyring export"),
        "{text:?}"
    );
    site.run(&["doctor", "--support", "support.txt"]).ok();
    let text = std::fs::read_to_string(site.folder().join("support.txt")).unwrap();
    assert!(text.contains("SQLCipher") && text.contains("OpenSSL") && text.contains("Checks\n"), "{text}");
    let keyring = std::fs::read_to_string(site.keyring()).unwrap();
    let words = keyring.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| word.len() > 20);
    assert!(words.clone().count() > 2 && !words.into_iter().any(|secret| text.contains(secret)), "{text}");

    let status = site.run(&["status"]).ok();
    assert!(
        status.contains("engines    SQLCipher 4.") && status.contains("SQLite 3.") && status.contains("OpenSSL 3."),
        "{status}"
    );
}
