//! The first start, and an upgrade from the package that had its settings as a conffile.

use super::{CONFIGURE, INSTALL, INSTALL_AND_START, Machine};
use crate::support::{Browser, PASSWORD};

const PORT: u16 = 8080;

#[test]
#[ignore = "deep: boots a container"]
fn three_commands_lead_to_a_page_with_the_operator_signed_in() {
    let machine = Machine::boot();

    machine.ok("apt-get install -y /root/domicile.deb");
    let printed = machine.ok("domicile init --region eu --public-url https://account.example.org 2>&1");
    machine.ok("systemctl start domicile");

    let local = format!("http://localhost:{PORT}");
    let path =
        printed.lines().find_map(|line| line.trim().strip_prefix(local.as_str())).expect("a link for this machine");
    let claim = path.split_once("claim=").unwrap().1;
    let fields = [("claim", claim), ("email", "ada@example.org"), ("username", "ada-l"), ("password", PASSWORD)];
    let page = machine.inside(|| {
        let mut ada = Browser::at(PORT);
        assert_eq!(ada.submit(path, "/signup", &fields).status, 303);
        ada.get("/settings/profile")
    });
    // Operators need a second factor, which is set up now.
    assert!(page.status == 200 || page.status == 303, "{page:?}");
    let shown = machine.ok("domicile account show ada-l --json");
    assert!(shown.contains("\"operator\":true"), "{shown}");
    // What is still missing can be pasted as it is printed.
    let lines = printed.lines().filter_map(|line| line.strip_prefix("    "));
    let more: String = lines.flat_map(|line| [line, "\n"]).collect();
    machine.ok(&format!("cat >> /etc/domicile/domicile.toml <<'END'\n{more}END\ndomicile check"));
}

/// Makes a package as the one was that shipped its settings as a conffile. The version is lower.
const OLD_PACKAGE: &str = "cd /root && dpkg-deb -R domicile.deb old && mkdir -p old/etc/domicile && \
     printf '# The settings.\\n#region = \"eu\"\\n#public_url = \"https://account.example.org\"\\n' > old/etc/domicile/domicile.toml && \
     chmod 640 old/etc/domicile/domicile.toml && echo /etc/domicile/domicile.toml > old/DEBIAN/conffiles && \
     sed -i 's/^Version: .*/Version: 0.0.1/' old/DEBIAN/control && dpkg-deb -b old old.deb && rm -r old";

#[test]
#[ignore = "deep: boots a container"]
fn an_upgrade_from_the_package_with_a_conffile_neither_asks_nor_loses_the_settings() {
    let machine = Machine::boot();
    machine.ok(OLD_PACKAGE);
    machine.ok("dpkg -i /root/old.deb");
    assert!(machine.ok("dpkg-query -W -f '${Conffiles}' domicile").contains("/etc/domicile/domicile.toml"));
    machine.ok(CONFIGURE);
    machine.ok(INSTALL_AND_START);
    let edited = machine.ok("cat /etc/domicile/domicile.toml");

    // As an unattended upgrade: nobody answers, and dpkg would stop at a question.
    machine.ok(&format!("{INSTALL} < /dev/null"));
    assert_eq!(machine.ok("cat /etc/domicile/domicile.toml"), edited);
    assert_eq!(machine.modes("/etc/domicile/domicile.toml"), "640 root domicile");
    machine.ok(&format!("{INSTALL} < /dev/null"));

    assert_eq!(machine.ok("cat /etc/domicile/domicile.toml"), edited);
    assert_eq!(machine.ok("domicile healthcheck"), "ready");
    machine.ok("dpkg -P domicile");
    assert_eq!(machine.ok("ls /etc/domicile"), "keyring");
}
