//! The manual in `templates/manual`: its links, commands, settings, paths and metrics exist, and what it says to run works.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use domicile::config::Config;
use domicile::inbox::CommandKind;
use domicile::server::{METRICS, MetricKind};
use tempfile::TempDir;

use crate::architecture::files_under;
use crate::cli::commands::commands;
use crate::monitoring::piped;
use crate::support::{Appliance, PASSWORD, finish};

/// The programs of other packages that the manual uses.
const OTHERS: [&str; 11] =
    ["apt", "systemctl", "journalctl", "install", "cp", "printf", "mkdir", "sudo", "age", "ssh", "domicile"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/manual")
}

/// The pages by name.
fn pages() -> BTreeMap<String, String> {
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files_under(&folder(), "md").iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The quotas of networks in the source tree, by their rows in the manual.
const QUOTAS: [(&str, &str); 7] = [
    ("username_check", "is this username free?"),
    ("passkey challenges", "challenges for a passkey"),
    ("service_enrolments", "codes that enrol a service"),
    ("key_exposures", "reports of keys that were found in public"),
    ("slowed sign-ins", "passwords whose network is slowed down"),
    ("keys refused", "refused keys"),
    ("incidents logged", "refused forms and keys, and people who must wait"),
];

/// A block between two fences: what is written after the first one, and the text.
struct Block {
    page: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (page, text) in pages() {
        let mut open: Option<Block> = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(kind), None) => {
                    open = Some(Block { page: page.clone(), kind: kind.to_owned(), text: String::new() })
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.text.push_str(line.trim_start());
                    block.text.push('\n');
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{page}: a block does not end");
    }
    blocks
}

fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept =
        |heading: &str| heading.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-').collect::<String>();
    headings.map(|heading| kept(heading).to_lowercase().replace(' ', "-")).collect()
}

#[test]
fn every_link_of_the_manual_leads_somewhere_and_the_first_page_has_all() {
    let pages = pages();
    for (name, text) in &pages {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.starts_with("https://") || file.starts_with('/') {
                continue;
            }
            let target = pages.get(file.strip_suffix(".md").unwrap_or_else(|| panic!("{name}: {link}")));
            let target = target.unwrap_or_else(|| panic!("{name} links to {file}, which does not exist"));
            assert!(anchor.is_empty() || anchors(target).contains(&anchor.to_owned()), "{name}: {link}");
        }
        let list = if name.starts_with("provider-") { "providers" } else { "index" };
        assert!(name == "index" || pages[list].contains(&format!("({name}.md)")), "the page {list} lacks {name}");
    }
}

#[test]
fn everybody_can_read_the_manual() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]);
    for (name, text) in pages() {
        let path = if name == "index" { "/help".to_owned() } else { format!("/help/{name}") };
        let title = text.lines().next().unwrap().trim_start_matches("# ");
        for answer in [site.call("GET", &path).send(), ada.get(&path)] {
            assert_eq!(answer.status, 200, "{path}");
            let page = answer.text();
            assert!(page.contains(&format!("<title>{title} ·")) && page.contains("<h1 id="), "{path}: {page}");
            // The pages allow no inline script or style.
            assert!(!page.contains("style=") && !page.contains("<script"), "{path}");
            assert!(!page.contains(".md\"") && !page.contains(".md#"), "{path} links to a file");
        }
    }
    for unknown in ["/help/nothing", "/help/index", "/help/install.md"] {
        assert_eq!(site.call("GET", unknown).send().status, 404, "{unknown}");
    }
    assert!(ada.get("/settings/profile").text().contains("href=\"/help\""));
}

/// The calls of the program in a line of a shell.
fn calls(line: &str) -> Vec<String> {
    let parts = line.split(['|', ';']).flat_map(|part| part.split("&&"));
    let own = parts.filter_map(|part| part.trim().trim_start_matches("sudo ").strip_prefix("domicile "));
    own.map(|rest| rest.split('>').next().unwrap().trim().to_owned()).collect()
}

/// A folder with the program in it, for `PATH`.
fn path_with_program() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_domicile"), folder.path().join("domicile")).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    (folder, path)
}

#[test]
fn every_command_of_the_manual_exists() {
    let (_folder, path) = path_with_program();
    let mut count = 0;
    for block in blocks() {
        let (page, kind) = (&block.page, &block.kind);
        assert!(
            ["sh", "sh run", "toml", "ini", "yaml", "json", "python"].contains(&kind.as_str()),
            "{page}: a block of the kind \"{kind}\""
        );
        for line in block.text.lines().filter(|line| kind.starts_with("sh") && !line.is_empty()) {
            let first = line.split(' ').next().unwrap();
            assert!(OTHERS.contains(&first), "{page}: what is {first}?");
            for call in calls(line) {
                count += 1;
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("domicile {call} --help")).env("PATH", &path);
                let output = finish(piped(&mut shell), "");
                assert_eq!(output.status, 0, "{page}: domicile {call}: {output:?}");
            }
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

/// Commands that no admin looks for in the manual: `domicile help` has them.
const NOT_IN_THE_MANUAL: [&str; 3] = ["completions", "man", "serve"];

#[test]
fn every_command_is_in_the_manual() {
    // A command can be broken over two lines.
    let manual: String = pages().values().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let missing: Vec<_> = commands()
        .into_iter()
        .map(|command| command.words)
        .filter(|words| !NOT_IN_THE_MANUAL.contains(&words.as_str()) && !manual.contains(&format!("domicile {words}")))
        .collect();
    assert!(missing.is_empty(), "no page of templates/manual says what these are for: {missing:?}");
}

#[test]
fn what_the_manual_says_to_run_works() {
    let site = Appliance::running();
    let (_folder, path) = path_with_program();
    let order = [
        "first-start",
        "mail",
        "people",
        "privacy",
        "air-gapped",
        "monitoring",
        "backup",
        "security",
        "services",
        "resources",
        "usage",
        "credit",
    ];
    let blocks = blocks();
    let runs = blocks.iter().filter(|block| block.kind == "sh run");
    assert!(runs.clone().all(|block| order.contains(&block.page.as_str())), "add the page to the order");
    let mut count = 0;
    for page in order {
        for block in runs.clone().filter(|block| block.page == page) {
            count += 1;
            let mut shell = Command::new("sh");
            shell.args(["-euc", &block.text]).env_clear().env("PATH", &path).env("DOMICILE_CONFIG", site.config());
            let output = finish(piped(shell.current_dir(site.folder())), "");
            assert_eq!(output.status, 0, "{page}:\n{}{output:?}", block.text);
        }
    }
    assert!(count >= 8, "only {count} blocks ran");
}

#[test]
fn the_page_about_services_is_the_service_that_the_tests_run() {
    let blocks = blocks_as_written("connect-a-service");
    let sample =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample/service.py")).unwrap();
    let page = &pages()["connect-a-service"];
    for kind in CommandKind::ALL.map(CommandKind::as_str) {
        assert!(page.contains(&format!("`{kind}`")), "the page does not say what to do with {kind}");
    }
    assert_eq!(blocks.join("\n\n"), sample, "copy the blocks of Python into tests/sample/service.py");
}

/// The blocks of Python of a page, with their indentation.
fn blocks_as_written(page: &str) -> Vec<String> {
    let text = &pages()[page];
    text.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The files in `/etc/domicile` that a block of settings names, each with contents of its kind.
fn write_named_files(folder: &Path, text: &str) {
    for rest in text.split("/etc/domicile/").skip(1) {
        let name = rest.split('"').next().unwrap();
        let contents = match name {
            "smtp-url" => "smtps://name:password@smtp.example.org:465".to_owned(),
            "apple.p8" => rcgen::KeyPair::generate().unwrap().serialize_pem(),
            _ => "secret".to_owned(),
        };
        std::fs::write(folder.join(name), contents).unwrap();
    }
}

#[test]
fn every_setting_of_the_manual_is_accepted() {
    let folder = TempDir::new().unwrap();
    let mut count = 0;
    for block in blocks().into_iter().filter(|block| block.kind == "toml") {
        count += 1;
        write_named_files(folder.path(), &block.text);
        let text = block.text.replace("/etc/domicile/", &format!("{}/", folder.path().display()));
        let needed = ["region = \"eu\"\n", "public_url = \"https://account.example.org\"\n"];
        let needed = needed.iter().filter(|line| {
            !text.contains(line.split(' ').next().unwrap_or_default())
                || !text.contains("public_url")
                || line.starts_with("region")
        });
        let text = needed.copied().collect::<String>() + &text;
        let checked = Config::from_text(&text, &block.page, &[]);
        let config = checked.unwrap_or_else(|error| panic!("{}: {error:?}\n{text}", block.page));
        if block.page.starts_with("provider-") {
            let name = &config.oauth[0].name;
            let (_, about) = block.page.split_once('-').unwrap();
            assert_eq!(name, about, "{}", block.page);
            let callback = format!("https://account.example.org/oauth/{name}/callback");
            assert!(pages()[&block.page].contains(&callback), "{} lacks {callback}", block.page);
        }
    }
    assert!(count >= 21, "only {count} blocks of settings were found");
}

#[test]
fn every_path_and_metric_of_the_manual_exists() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_file = |name: &str| {
        let folders = ["packaging/examples", "packaging", "packaging/monitoring", "packaging/fail2ban"];
        folders.iter().any(|folder| root.join(folder).join(name).exists())
    };
    for (page, text) in pages() {
        for path in text.split('`').skip(1).step_by(2).filter(|text| text.starts_with("/usr/share/doc/domicile")) {
            let below = path.strip_prefix("/usr/share/doc/domicile").unwrap().trim_start_matches('/');
            let is_folder = manifest.contains(&format!("\"usr/share/doc/domicile/{below}/\"")) || below.is_empty();
            let file = below.rsplit('/').next().unwrap().trim_end_matches(".gz");
            let is_generated = manifest.contains(&format!("\"target/debian/{below}\""));
            assert!(is_folder || is_generated || is_file(file), "{page}: {path} is not in the package");
        }
        for word in text.split(|c: char| !c.is_ascii_lowercase() && c != '_' && !c.is_ascii_digit()) {
            let is_metric =
                (word.starts_with("domicile_") && word.len() > 9) || (word.starts_with("process_") && word.len() > 8);
            assert!(
                !is_metric || METRICS.iter().any(|family| family.name == word),
                "{page}: there is no metric {word}"
            );
        }
    }
    // The table in the manual is the list of the program.
    let table: Vec<String> = METRICS
        .iter()
        .map(|family| {
            let kind = match family.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            format!("| `{}` | {kind} | {} |", family.name, family.help)
        })
        .collect();
    let table = table.join("\n");
    assert!(pages()["monitoring"].contains(&table), "the table of metrics must be:\n{table}");
}

#[test]
fn the_page_about_security_has_the_quotas_of_networks() {
    let page = pages().remove("security").unwrap();
    let mut found = 0;
    for file in files_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "rs") {
        for quota in std::fs::read_to_string(&file).unwrap().split("NetworkQuota { name: \"").skip(1) {
            let (name, rest) = quota.split_once("\", per_minute: ").unwrap();
            let per_minute = rest.split_once(' ').unwrap().0;
            let (_, row) = QUOTAS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no row: {name}"));
            assert!(page.contains(&format!("| {row} | {per_minute} |")), "security.md lacks {row}: {per_minute}");
            found += 1;
        }
    }
    assert_eq!(found, QUOTAS.len());
    let slowest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/signin/flows/prove_password.rs"));
    assert!(slowest.unwrap().contains("const SLOWED_SECONDS_MAX: u32 = 20;"), "security.md says 20 seconds");
}
