//! Exports.

use domicile::base::{days, hours, seconds};
use domicile::db::SECRET;
use domicile::jobs::{self, NewJob};
use domicile::privacy::{DOWNLOAD_LINK_TTL, EXPORTS_A_DAY_MAX, ExportState};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::*;

impl TestApp {
    fn sweep(&self) {
        self.write(|tx| jobs::enqueue(tx, NewJob::once(privacy::jobs::EXPIRE))).unwrap();
        self.run_jobs();
    }

    fn ready(&self, person: &Person) -> privacy::Artifact {
        self.request(person, &some_key()).unwrap();
        self.run_jobs();
        self.export(person).artifact.unwrap()
    }

    fn link_to(&self, person: &Person, artifact: ArtifactId) -> Result<privacy::Link, PrivacyError> {
        let (actor, account) = (self.in_browser(person), person.account.id);
        self.write(move |tx| privacy::export_link(tx, &actor, account, artifact))
    }

    fn follow(&self, account: AccountId, token: &str) -> Option<privacy::Download> {
        self.read(|view| privacy::find_by_link(view, account, token).unwrap())
    }
}

#[test]
fn everything_that_a_person_entered_is_in_the_export() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    site.second_factors(ada.account.id);

    let files = site.exported(&ada);

    let text = text_of(&files);
    for canary in CANARIES.into_iter().chain(["canary-name@example.org", "gpu.h100", "https://gpu.example/farm-1"]) {
        assert!(text.contains(canary), "{canary:?} is not in the export");
    }
    assert_eq!(read_picture(&files["account/picture.jpg"]), (512, 512));
}

fn read_picture(file: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory_with_format(file, image::ImageFormat::Jpeg).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn the_export_has_all_events_of_the_person_and_their_workspace() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    let (id, workspace) = (ada.account.id.to_string(), ada.workspace.to_string());
    let expected: Vec<(String, String)> = site.read(|view| {
        let sql = "
            select id, event from audit_event
            where actor_id = :id or target_id = :id or workspace_id = :workspace
               or seq in (select seq from audit_private where subject_id = :id)";
        let params = named_params! {":id": id, ":workspace": workspace};
        view.list(sql, params, |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    });

    let files = site.exported(&ada);

    for file in ["activity/activity.jsonl", "activity/activity.csv"] {
        let text = std::str::from_utf8(&files[file]).unwrap();
        for (event, name) in &expected {
            assert!(text.contains(event.as_str()), "{name} is not in {file}");
        }
    }
    let lines: Vec<serde_json::Value> = std::str::from_utf8(&files["activity/activity.jsonl"])
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().any(|line| line["private"]["network"]["address"] == CANARIES[5]));
    assert!(lines.iter().any(|line| line["private"]["contact"]["email"] == "canary-name@example.org"));
    assert!(lines.iter().any(|line| line["private"]["text"]["name"] == CANARIES[7]));
    assert!(lines.iter().any(|line| line["event"] == "billing.credit_granted"));
}

#[test]
fn the_export_contains_no_secret() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    let key = site.api_key(&ada, "another");
    let token = site.session(CANARIES[0]);
    let before = site.read(secrets);
    assert!(before.len() >= 10, "{before:?}");

    let files = site.exported(&ada);

    let text = text_of(&files);
    let after = site.read(secrets);
    for (column, secret) in before.iter().chain(&after) {
        for written in [hex::encode(secret), String::from_utf8_lossy(secret).into_owned(), base64_of(secret)] {
            assert!(!text.contains(&written), "{column} is in the export as {written}");
        }
    }
    for secret in [key.secret.expose(), &key.secret.expose()[12..].to_owned(), token.expose(), &PASSWORD.to_owned()] {
        assert!(!text.contains(secret.as_str()));
    }
    assert!(!text.contains("$argon2id$"));
}

/// The values of all columns that the data map calls secret, with table and column.
fn secrets(view: &View<'_>) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for table in tables() {
        for column_of in table.columns.iter().filter(|column| column.export == ColumnExport::LeftOut(SECRET)) {
            let name = column_of.name;
            for value in column(view, table.name, name) {
                match value {
                    Value::Text(text) => found.push((format!("{}.{name}", table.name), text.into_bytes())),
                    Value::Blob(bytes) => found.push((format!("{}.{name}", table.name), bytes)),
                    other => panic!("{}.{name} is {other:?}", table.name),
                }
            }
        }
    }
    found
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

#[test]
fn an_export_contains_only_its_person() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    let bob = site.person("bob-bob");
    site.api_key(&bob, "bobs-laptop");
    site.session("bob-bob");

    let text = text_of(&site.exported(&ada));

    for of_bob in ["bob-bob", "bobs-laptop", &bob.account.id.to_string(), &bob.workspace.to_string()] {
        assert!(!text.contains(of_bob), "{of_bob}");
    }
}

#[test]
fn the_manifest_lists_every_file_correctly_and_is_signed() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();

    let files = site.exported(&ada);

    let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let parts = manifest["parts"].as_array().unwrap();
    let mut listed: Vec<_> = parts.iter().map(|part| part["path"].as_str().unwrap()).collect();
    listed.push("manifest.json");
    listed.sort_unstable();
    assert_eq!(listed, files.keys().map(String::as_str).collect::<Vec<_>>());
    for part in parts {
        let path = part["path"].as_str().unwrap();
        let bytes = &files[path];
        assert_eq!(part["bytes"], bytes.len(), "{path}");
        assert_eq!(part["sha256"], hex::encode(Sha256::digest(bytes)), "{path}");
        assert_eq!(part["rows"], rows_in(path, bytes), "{path}");
    }
    assert_eq!(manifest["subject"]["account"], ada.account.id.to_string());
    assert_eq!((&manifest["region"], &manifest["format"]), (&"eu".into(), &"domicile.export".into()));

    let mut unsigned = manifest.clone();
    unsigned.as_object_mut().unwrap().remove("signature");
    let mut key = [0u8; 32];
    hex::decode_to_slice(manifest["site"]["public_key"].as_str().unwrap(), &mut key).unwrap();
    let key = VerifyingKey::from_bytes(&key).unwrap();
    assert_eq!(key, site.app.keyring().verifying_key());
    let mut signature = [0u8; 64];
    hex::decode_to_slice(manifest["signature"]["value"].as_str().unwrap(), &mut signature).unwrap();
    let signature = Signature::from_bytes(&signature);
    key.verify_strict(unsigned.to_string().as_bytes(), &signature).unwrap();
    unsigned["parts"][0]["rows"] = 2.into();
    assert!(key.verify_strict(unsigned.to_string().as_bytes(), &signature).is_err());
}

fn rows_in(path: &str, bytes: &[u8]) -> usize {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    match path.rsplit('.').next().unwrap() {
        "csv" => csv::Reader::from_reader(bytes).records().map(Result::unwrap).count(),
        "jsonl" => text.lines().count(),
        "json" => match serde_json::from_str(text).unwrap() {
            serde_json::Value::Array(rows) => rows.len(),
            _ => 1,
        },
        _ => 1,
    }
}

#[test]
fn a_passphrase_opens_the_export_and_another_does_not() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let recipient = ExportRecipient::passphrase(Secret::new("open sesame".into())).unwrap();
    let (actor, id) = (site.in_browser(&ada), ada.account.id);
    site.write(move |tx| privacy::request_export(tx, &actor, id, &recipient)).unwrap();
    assert_eq!(site.columns_with("open sesame"), Vec::<String>::new());

    site.run_jobs();

    let artifact = site.export(&ada).artifact.unwrap();
    let bytes = std::fs::read(site.file_of(artifact.id)).unwrap();
    assert_eq!((artifact.bytes, artifact.sha256), (bytes.len() as u64, Sha256::digest(&bytes).into()));
    assert!(!holds(&bytes, b"ada-ada") && !holds(&bytes, b"profile"));
    let open_with = |passphrase: &str| {
        let mut identity = age::scrypt::Identity::new(passphrase.to_owned().into());
        identity.set_max_work_factor(20);
        decrypted(&bytes, &identity)
    };
    assert!(text_of(&open_with("open sesame").unwrap()).contains("ada-ada@example.org"));
    assert!(matches!(open_with("open barley"), Err(age::DecryptError::DecryptionFailed)));
    assert_eq!(site.number("select count(*) from data_request where sealed_recipient is not null"), 0);
}

#[test]
fn a_mail_and_the_audit_say_when_the_export_is_ready() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");

    let artifact = site.ready(&ada);

    let export = site.export(&ada);
    assert_eq!((export.state, export.progress_percent, export.problem), (ExportState::Ready, 100, None));
    assert_eq!(artifact.file_name, "domicile-export-ada-ada-20260503.zip.age");
    assert!(site.message("ada-ada@example.org", "Your export is ready").text.contains("10 May 2026"));
    for event in ["privacy.export_requested", "privacy.export_ready"] {
        let sql = "select count(*) from audit_event where event = :event";
        let found =
            site.read(|view| view.one(sql, named_params! {":event": event}, |row| row.get::<_, i64>(0)).unwrap());
        assert_eq!(found, 1, "{event}");
    }
    assert_eq!(site.exports_folder(), [format!("{}.zip.age", artifact.id)]);
}

#[test]
fn one_export_runs_at_a_time_and_at_most_five_in_24_hours() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let first = site.request(&ada, &some_key()).unwrap();
    let before = site.footprint();
    assert!(matches!(site.request(&ada, &some_key()), Err(PrivacyError::ExportRunning)));
    assert_eq!(site.footprint(), before);
    site.run_jobs();
    assert_eq!(site.export(&ada).id, first);

    for _ in 1..EXPORTS_A_DAY_MAX {
        site.clock.advance(hours(1));
        site.ready(&ada);
    }
    let before = site.footprint();
    let refused = site.request(&ada, &some_key());
    assert!(matches!(refused, Err(PrivacyError::TooManyExports { wait_seconds }) if wait_seconds == 20 * 3600 + 1));
    assert_eq!(site.footprint(), before);

    let bob = site.person("bob-bob");
    site.ready(&bob);
    site.clock.advance(hours(20) - seconds(1));
    assert!(matches!(site.request(&ada, &some_key()), Err(PrivacyError::TooManyExports { .. })));
    site.clock.advance(seconds(1));
    site.ready(&ada);
    assert_eq!(EXPORTS_A_DAY_MAX, 5);
}

#[test]
fn only_the_person_and_the_operator_can_export() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let artifact = site.ready(&ada);
    let key = site.api_key(&ada, "ci").key.id;
    let scopes = site.app.config().scopes.rights_of("admin");
    let (account, workspace) = (ada.account.id, ada.workspace);
    let holder = Actor::KeyHolder { key, account, workspace, scopes, visitor: home() };
    let unknown = AccountId::new(site.clock.now(), &mut domicile::base::Rng::seeded(99));
    let before = site.footprint();

    for (actor, subject) in [
        (bob.by_browser(), account),
        (holder, account),
        (Actor::Anonymous(site.visitor()), account),
        (Actor::Operator, unknown),
    ] {
        assert!(matches!(site.request_as(actor.clone(), subject, &some_key()), Err(PrivacyError::NotFound)));
        let link = site.write(move |tx| privacy::export_link(tx, &actor, subject, artifact.id));
        assert!(matches!(link, Err(PrivacyError::NotFound)));
    }

    assert!(matches!(site.link_to(&bob, artifact.id), Err(PrivacyError::NotFound)));
    assert_eq!(site.footprint(), before);
    assert_eq!(site.number("select count(*) from export_link"), 0);
}

#[test]
fn an_invalid_recipient_is_refused() {
    for bad in ["", "age1nonsense", "AGE-SECRET-KEY-1", "ssh-dss AAAA", &"x".repeat(3000)] {
        assert!(ExportRecipient::key(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "seven77", &"x".repeat(3000)] {
        assert!(ExportRecipient::passphrase(Secret::new(bad.to_owned())).is_err(), "{bad:?}");
    }
}

#[test]
fn a_download_link_is_valid_for_an_hour_and_for_its_person_only() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let artifact = site.ready(&ada);
    let link = site.link_to(&ada, artifact.id).unwrap();
    let token = link.token.expose();
    assert_eq!(site.columns_with(token), Vec::<String>::new());

    assert_eq!(site.follow(ada.account.id, token).unwrap().path, site.file_of(artifact.id));
    assert!(site.follow(bob.account.id, token).is_none());
    assert!(site.follow(ada.account.id, "nonsense").is_none());
    site.clock.advance(DOWNLOAD_LINK_TTL - seconds(1));
    assert!(site.follow(ada.account.id, token).is_some());
    site.clock.advance(seconds(1));

    assert!(site.follow(ada.account.id, token).is_none());
    assert_eq!((DOWNLOAD_LINK_TTL, link.expires_at), (minutes(60), site.clock.now()));
    site.sweep();
    assert_eq!(site.number("select count(*) from export_link"), 0);
}

#[test]
fn an_export_is_deleted_after_a_week_and_its_links_with_it() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let artifact = site.ready(&ada);
    let folder = site.layout().exports();
    std::fs::write(folder.join("notes.txt"), "an admin's").unwrap();
    let stray = ArtifactId::new(site.clock.now(), &mut domicile::base::Rng::seeded(3));
    for name in [format!("{stray}.zip.age"), format!("{stray}.partial")] {
        std::fs::write(folder.join(name), "of no request").unwrap();
    }

    site.clock.advance(days(7) - seconds(1));
    site.sweep();
    assert_eq!(site.exports_folder(), [format!("{}.zip.age", artifact.id), "notes.txt".into()]);
    let link = site.link_to(&ada, artifact.id).unwrap();
    assert_eq!(link.expires_at, artifact.delete_after);
    site.clock.advance(seconds(1));
    assert!(site.follow(ada.account.id, link.token.expose()).is_none());
    assert!(matches!(site.link_to(&ada, artifact.id), Err(PrivacyError::NotFound)));
    site.sweep();

    assert_eq!(site.exports_folder(), ["notes.txt"]);
    let export = site.export(&ada);
    assert_eq!((export.state, export.artifact.is_none()), (ExportState::Expired, true));
    assert_eq!(site.number("select count(*) from export_artifact"), 0);
    let expired = "select count(*) from audit_event where event = 'privacy.export_expired'";
    assert_eq!(site.number(expired), 1);
    site.clock.advance(days(90));
    site.sweep();
    assert_eq!(site.number("select count(*) from data_request"), 0);
}

#[test]
fn an_export_whose_job_was_killed_is_written_again_under_the_same_name() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let identity = age::x25519::Identity::generate();
    site.request(&ada, &identity.to_public().to_string()).unwrap();
    site.write(|tx| {
        // The state that a killed process leaves.
        tx.execute(
            "update job set state = 'running', attempts = 1, run_at = run_at + 600000 where name = 'privacy.export'",
            [],
        )?;
        tx.execute("update data_request set state = 'running', progress_percent = 40, step = 'billing'", [])
    })
    .unwrap();
    let artifact: String =
        site.read(|view| view.one("select artifact_id from data_request", [], |row| row.get(0)).unwrap());
    std::fs::write(site.layout().exports().join(format!("{artifact}.partial")), vec![7; 1 << 20]).unwrap();
    site.sweep();
    assert_eq!(
        site.exports_folder(),
        [format!("{artifact}.partial")],
        "the sweep keeps the file that is being written"
    );

    site.clock.advance(minutes(10));
    site.run_jobs();

    assert_eq!(site.exports_folder(), [format!("{artifact}.zip.age")]);
    let made = site.export(&ada).artifact.unwrap();
    assert_eq!(made.id.to_string(), artifact);
    let files = decrypted(&std::fs::read(site.file_of(made.id)).unwrap(), &identity).unwrap();
    assert!(text_of(&files).contains("ada-ada@example.org"));
}

#[test]
fn a_job_that_runs_twice_writes_one_export_and_one_mail() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let request = site.request(&ada, &some_key()).unwrap();
    let payload = serde_json::json!({"request": request.to_string()});

    for _ in 0..2 {
        let outcome = site.block_on(privacy::jobs::export(site.app.clone(), payload.clone()));
        assert_eq!(outcome, jobs::Outcome::Done);
    }

    assert_eq!(site.exports_folder().len(), 1);
    assert_eq!(site.number("select count(*) from export_artifact"), 1);
    assert_eq!(site.number("select count(*) from mail_outbox where subject = 'Your export is ready'"), 1);
}

#[test]
fn an_export_that_is_not_ready_in_six_hours_fails_and_its_recipient_is_deleted() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // A file where the folder should be.
    std::fs::remove_dir(site.layout().exports()).unwrap();
    std::fs::write(site.layout().exports(), "in the way").unwrap();
    site.request(&ada, &some_key()).unwrap();
    site.run_jobs();
    assert!(site.export(&ada).state.is_under_way());

    site.clock.advance(hours(6) + seconds(1));
    site.run_jobs();

    let export = site.export(&ada);
    assert_eq!(export.state, ExportState::Failed);
    assert!(export.problem.unwrap().contains("Request a new one"));
    assert_eq!(site.number("select count(*) from data_request where sealed_recipient is not null"), 0);
    std::fs::remove_file(site.layout().exports()).unwrap();
    site.ready(&ada);
}

#[test]
fn an_operator_writes_an_export_to_a_new_file_only() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    let identity = age::x25519::Identity::generate();
    let recipient = ExportRecipient::key(&identity.to_public().to_string()).unwrap();
    let output = site.folder().join("ada.zip.age");
    let write = |actor: Actor| flows::export_to_file(&site.app, actor, ada.account.id, &recipient, &output);
    let before = site.footprint();
    assert!(matches!(write(Actor::Anonymous(site.visitor())), Err(PrivacyError::NotFound)));
    assert!(!output.exists());
    assert_eq!(site.footprint(), before);

    let sealed = write(Actor::Operator).unwrap();

    let bytes = std::fs::read(&output).unwrap();
    assert_eq!((sealed.bytes, sealed.sha256), (bytes.len() as u64, Sha256::digest(&bytes).into()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&output).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(text_of(&decrypted(&bytes, &identity).unwrap()).contains(CANARIES[1]));
    assert!(matches!(write(Actor::Operator), Err(PrivacyError::FileExists(_))));
    assert_eq!(std::fs::read(&output).unwrap(), bytes);
    let unknown = AccountId::new(site.clock.now(), &mut domicile::base::Rng::seeded(99));
    let other = site.folder().join("unknown.zip.age");
    let refused = flows::export_to_file(&site.app, Actor::Operator, unknown, &recipient, &other);
    assert!(matches!(refused, Err(PrivacyError::NotFound)));
    assert!(!other.exists());
}
