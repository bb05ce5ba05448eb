//! The download of an export.

use sha2::{Digest, Sha256};

use crate::support::{Appliance, PASSWORD, wait_for};

#[test]
fn a_download_is_the_complete_file_and_its_etag_is_the_hash() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let path = "/settings/privacy";
    let requested = ada.submit(path, "/settings/privacy/export", &[("passphrase", PASSWORD)]);
    assert_eq!(requested.status, 303, "{}", requested.text());

    let action = wait_for("the export", || {
        let page = ada.get(path).text();
        let action = page.split('"').find(|word| word.starts_with("/settings/privacy/export/")).map(str::to_owned);
        action.filter(|action| action.ends_with("/download"))
    });
    let file = ada.submit(path, &action, &[]);

    assert_eq!((file.status, file.header("cache-control")), (200, "no-store"), "{action}");
    assert!(file.body.starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(file.header("content-length"), file.body.len().to_string());
    assert_eq!(file.header("etag"), format!("\"{}\"", hex::encode(Sha256::digest(&file.body))));
}

#[test]
fn a_private_key_in_the_place_of_a_public_one_is_named_and_not_shown_again() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let mut export = |recipient: &str| {
        let answer = ada.submit("/settings/privacy", "/settings/privacy/export", &[("recipient", recipient)]);
        assert_eq!(answer.status, 400, "{recipient}");
        answer.text()
    };

    for private in [
        "AGE-SECRET-KEY-1QQQSECRETQQQ",
        "age-secret-key-1qqqsecretqqq",
        "-----BEGIN OPENSSH PRIVATE KEY-----QQQSECRETQQQ",
    ] {
        let page = export(private);
        assert!(page.contains("This is a private key"), "{page}");
        assert!(!page.to_uppercase().contains("QQQSECRETQQQ"), "{page}");
        let arguments = ["account", "export", "ada-l", "--recipient", private, "--output", "x.age"];
        let ran = format!("{:?}", site.run(&arguments));
        assert!(ran.contains("private key") && !ran.to_uppercase().contains("QQQSECRETQQQ"), "{ran}");
    }
    let mistyped = "age1yubikey1qqq";
    let page = export(mistyped);
    assert!(page.contains("age plugin") && page.contains(mistyped), "{page}");
}
