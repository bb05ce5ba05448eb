//! `domicile init`: the settings that it writes, and what it says is missing.

use super::{Appliance, PermissionsExt, refused};

const PUBLIC_URL: &str = "https://account.example.org";

/// An appliance without settings. The keyring and the data are in its folder because of the environment.
fn without_settings() -> Appliance {
    let site = Appliance::configured("");
    std::fs::remove_file(site.config()).unwrap();
    site
}

fn init(site: &Appliance, arguments: &[&str]) -> crate::support::CommandOutput {
    let mut command = site.command(&[&["init"], arguments].concat());
    command.env("DOMICILE_DATA_DIR", site.data()).env("DOMICILE_KEYRING", site.keyring());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    crate::support::CommandOutput {
        status: output.status.code().unwrap(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

#[test]
fn init_writes_the_settings_if_there_are_none_and_says_what_is_missing() {
    let site = without_settings();

    let output = init(&site, &["--region", "eu", "--public-url", PUBLIC_URL]);

    assert_eq!(output.status, 0, "{output:?}");
    let link = output.stdout.trim();
    assert!(link.starts_with(&format!("{PUBLIC_URL}/signup?claim=")), "{link}");
    let local = link.replace(PUBLIC_URL, "http://localhost:8080");
    assert!(output.stderr.contains(&local), "{output:?}");
    let text = std::fs::read_to_string(site.config()).unwrap();
    let values: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(values, ["region = \"eu\"", "public_url = \"https://account.example.org\""]);
    assert_eq!(std::fs::metadata(site.config()).unwrap().permissions().mode() & 0o777, 0o640);

    // The lines that it prints can be pasted as they are. Then nothing is missing any more.
    let lines = output.stderr.lines().filter_map(|line| line.strip_prefix("    "));
    let more: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert!(more.contains("[listen]") && more.contains("[mail]"), "{more}");
    std::fs::write(site.config(), format!("{text}{more}")).unwrap();
    std::fs::remove_dir_all(site.data()).unwrap();
    std::fs::remove_file(site.keyring()).unwrap();
    let again = init(&site, &["--json"]);
    assert_eq!(again.status, 0, "{again:?}");
    let answer: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(answer["missing"], serde_json::json!([]));
}

#[test]
fn init_never_changes_settings_that_are_there() {
    let site = Appliance::configured("");
    let url = site.url();
    let before = std::fs::read(site.config()).unwrap();

    refused(&site, &["init", "--region", "us", "--public-url", &url], 2, &["exists already", "region = \"eu\""]);
    refused(&site, &["init", "--region", "eu"], 2, &["--public-url"]);
    site.run(&["init", "--region", "eu", "--public-url", &url]).ok();

    assert_eq!(std::fs::read(site.config()).unwrap(), before);
}

#[test]
fn a_refused_init_writes_no_settings() {
    let site = without_settings();
    let wrong = init(&site, &["--region", "EU", "--public-url", "account.example.org"]);
    assert_eq!(wrong.status, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("region") && wrong.stderr.contains("https://"), "{wrong:?}");
    assert!(!site.config().exists());

    std::fs::write(site.keyring(), "of another appliance").unwrap();
    let exists = init(&site, &["--region", "eu", "--public-url", PUBLIC_URL]);
    assert_eq!(exists.status, 2, "{exists:?}");
    assert!(exists.stderr.contains("never overwritten"), "{exists:?}");
    assert!(!site.config().exists());
    refused(&site, &["init"], 2, &["domicile init --region eu --public-url"]);
}

#[test]
fn the_credential_of_a_unit_without_a_keyring_is_told() {
    let site = Appliance::initialized();
    let credentials = site.folder().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("keyring"), "missing").unwrap();

    let output = site.command(&["serve"]).env("CREDENTIALS_DIRECTORY", &credentials).output().unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("keyring does not exist") && said.contains("run `domicile init`"), "{said}");
}
