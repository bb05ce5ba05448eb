//! What the program is made of: how its C code is compiled, and what the package says of its parts.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::machine::{both, run};
use super::root;

fn printed_by(command: &mut Command) -> String {
    let output = run(command.current_dir(root()));
    assert!(output.status.success(), "{command:?} failed:\n{}", both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The crates that are compiled into the program: name and version.
fn crates() -> BTreeSet<(String, String)> {
    let tree =
        printed_by(Command::new("cargo").args(["tree", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}"]));
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.trim_start_matches('v').to_owned()))
    });
    crates.filter(|(name, _)| name != "domicile").collect()
}

#[test]
fn c_code_has_stack_protection_and_checked_copies_and_uses_the_systems_libcrypto() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_domicile")).unwrap();
    let has = |text: &[u8]| program.windows(text.len()).any(|window| window == text);

    assert!(has(b"\0__stack_chk_fail\0"), "CFLAGS of .cargo/config.toml lost -fstack-protector-strong");
    assert!(has(b"_chk\0"), "CFLAGS of .cargo/config.toml lost -D_FORTIFY_SOURCE=2");
    assert!(has(b"\0libcrypto.so.3\0"), "libcrypto is compiled in: Debian's fixes would not reach it");
}

#[test]
#[ignore = "deep: lists every crate"]
fn the_bill_of_materials_names_every_crate_and_the_c_libraries_and_no_folder() {
    let text = printed_by(&mut Command::new(root().join("packaging/sbom")));

    let bill: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let member = |component: &Value, name: &str| component[name].as_str().unwrap_or_default().to_owned();
    let named: BTreeSet<_> =
        bill["components"].as_array().unwrap().iter().map(|c| (member(c, "name"), member(c, "version"))).collect();
    let missing: Vec<_> = crates().difference(&named).cloned().collect();
    assert_eq!(missing, []);
    assert!(named.iter().any(|(name, version)| name == "SQLCipher" && version.starts_with("4.")));
    let sqlite = rusqlite::version().to_owned();
    assert!(named.contains(&("SQLite".into(), sqlite.clone())), "SQLite {sqlite} is missing");
    assert!(
        !text.contains(root().to_str().unwrap()) && !text.contains("file:///"),
        "a folder of this machine is named"
    );
}

#[test]
#[ignore = "deep: reads the licences of every crate"]
fn each_crate_is_listed_with_the_text_of_its_licence() {
    let text = printed_by(&mut Command::new(root().join("packaging/third-party")));

    let parts: Vec<(&str, &str)> = text.split("\n---- ").skip(1).filter_map(|part| part.split_once('\n')).collect();
    let listed: BTreeSet<&str> = parts.iter().filter_map(|(head, _)| head.split(':').next()).collect();
    let missing: Vec<_> = crates()
        .into_iter()
        .map(|(name, version)| format!("{name}-{version}"))
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
    for (head, body) in parts {
        assert!(!body.trim().is_empty(), "{head}: no text");
    }
}
