//! A person's rights over their data: take all of it along, or have all of it gone.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use domicile::accounts::{self, DisplayName, Profile};
use domicile::api_keys::{self, Verifier};
use domicile::base::{
    AccountId, Actor, ArtifactId, Credits, EmailAddress, Quantity, RequestId, Secret, Timestamp, Visitor, minutes,
};
use domicile::billing;
use domicile::billing::usage::{self, EventName, NewEvent};
use domicile::db::View;
use domicile::privacy::data_map::{Erasure, TABLES};
use domicile::privacy::{self, Export, ExportRecipient, PrivacyError, flows};
use domicile::services::{self, ServiceName};
use domicile::signin;
use domicile::{audit, invitations, workspaces};
use rusqlite::named_params;
use rusqlite::types::Value;

use crate::support::{PASSWORD, Person, START, TestApp, holds};

mod erasures;
mod exports;
mod journals;

/// What a person leaves in a house: every one of these must be in the export, and none of them anywhere after the erasure.
const CANARIES: [&str; 9] = [
    "canary-name",
    "Canary Displayname",
    "canary-company",
    "canary-use-case",
    "canary-bio of a person",
    "2001:db8::ca:4a",
    "Canary/1.0 (agent)",
    "canary-key",
    "canary-reason",
];

type Files = BTreeMap<String, Vec<u8>>;

impl TestApp {
    /// One person with something in every table that knows people.
    fn whole_person(&self) -> Person {
        let address = EmailAddress::parse("canary-name@example.org").unwrap();
        self.write(move |tx| invitations::issue(tx, &Actor::Operator, address, false)).unwrap();
        let ada = self.person(CANARIES[0]);
        let (id, actor) = (ada.account.id, self.at_home(&ada));
        let profile = Profile { display_name: DisplayName::parse(CANARIES[1]).unwrap() };
        let recorder = actor.clone();
        self.write(move |tx| {
            accounts::update_profile(tx, &recorder, id, &profile)?;
            // No page asks for these yet.
            let told =
                named_params! {":id": id, ":company": CANARIES[2], ":use_case": CANARIES[3], ":bio": CANARIES[4]};
            tx.execute("update account set company = :company, use_case = :use_case, bio = :bio where id = :id", told)?;
            accounts::send_code(tx, &recorder, id)
        })
        .unwrap();
        self.clock.advance(minutes(1));
        let reset = signin::flows::request_reset(&self.app, home(), "canary-name@example.org");
        self.block_on(reset).unwrap();
        let form = signin::SignIn { name: CANARIES[0].into(), password: Secret::new("wrong".into()), remember: false };
        assert!(self.block_on(signin::flows::sign_in(&self.app, home(), form)).is_err());
        let form = signin::SignIn { name: CANARIES[0].into(), password: Secret::new(PASSWORD.into()), remember: true };
        assert!(self.block_on(signin::flows::sign_in(&self.app, home(), form)).is_ok());

        self.clock.advance(minutes(1));
        let key = self.api_key(&ada, CANARIES[7]);
        let verifier = Verifier::new(self.app.clone());
        self.clock.advance(minutes(1));
        (0..777).for_each(|_| drop(verifier.verify(key.secret.expose()).unwrap().unwrap()));
        self.block_on(api_keys::record_use(&self.app, &verifier)).unwrap();
        self.clock.advance(minutes(1));
        let workspace = ada.workspace;
        let batch = [Ok(NewEvent {
            source: EventName::parse("https://gpu.example/farm-1").unwrap(),
            id: EventName::parse("run-1").unwrap(),
            workspace,
            sku: "gpu.h100".into(),
            quantity: Quantity::parse("1500").unwrap(),
            occurred_at: Timestamp::parse(START).unwrap(),
            key: Some(key.key.id),
        })];
        self.write(move |tx| {
            billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(25), CANARIES[8]).unwrap();
            let (service, _) = services::create(tx, &Actor::Operator, &ServiceName::parse("farm").unwrap()).unwrap();
            let farm = Actor::Service { service: service.id, name: service.name };
            usage::record_batch(tx, &farm, &batch).unwrap();
            Ok::<_, domicile::db::Error>(())
        })
        .unwrap();
        ada
    }

    /// The person in a browser, from where they live.
    fn at_home(&self, person: &Person) -> Actor {
        let mut actor = person.by_browser();
        if let Actor::SignedIn { visitor, .. } = &mut actor {
            *visitor = home();
        }
        actor
    }

    fn request(&self, person: &Person, recipient: &str) -> Result<RequestId, PrivacyError> {
        self.request_as(self.at_home(person), person.account.id, recipient)
    }

    fn request_as(&self, actor: Actor, account: AccountId, recipient: &str) -> Result<RequestId, PrivacyError> {
        let recipient = ExportRecipient::key(recipient).unwrap();
        self.write(move |tx| privacy::request_export(tx, &actor, account, &recipient))
    }

    /// The newest export of the person.
    fn export(&self, person: &Person) -> Export {
        self.look(|view| privacy::exports_of(view, person.account.id).unwrap()).remove(0)
    }

    /// Where the file of an export is.
    fn file_of(&self, artifact: ArtifactId) -> PathBuf {
        self.layout().exports().join(format!("{artifact}.zip.age"))
    }

    /// Asks for an export, has it made, opens it.
    fn exported(&self, person: &Person) -> Files {
        let identity = age::x25519::Identity::generate();
        self.request(person, &identity.to_public().to_string()).unwrap();
        self.run_jobs();
        let artifact = self.export(person).artifact.unwrap();
        unsealed(&std::fs::read(self.file_of(artifact.id)).unwrap(), &identity).unwrap()
    }

    fn exports_folder(&self) -> Vec<String> {
        TestApp::files_in(&self.layout().exports())
    }
}

fn home() -> Visitor {
    Visitor { address: CANARIES[5].into(), agent: CANARIES[6].into() }
}

fn some_key() -> String {
    age::x25519::Identity::generate().to_public().to_string()
}

/// Opens an export as its person does: age, then zip.
fn unsealed(bytes: &[u8], identity: &dyn age::Identity) -> Result<Files, age::DecryptError> {
    let mut plain = Vec::new();
    age::Decryptor::new(bytes)?.decrypt(std::iter::once(identity))?.read_to_end(&mut plain).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(plain)).unwrap();
    let mut files = Files::new();
    for place in 0..archive.len() {
        let mut file = archive.by_index(place).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let name = file.name().unwrap().into_owned();
        assert!(files.insert(name.clone(), bytes).is_none(), "{name} is there twice");
    }
    Ok(files)
}

/// All the text of an archive.
fn text_of(files: &Files) -> String {
    files.values().map(|bytes| std::str::from_utf8(bytes).unwrap()).collect::<Vec<_>>().join("\n")
}

/// The values of one column.
fn column(view: &View<'_>, table: &str, column: &str) -> Vec<Value> {
    view.list(&format!("select distinct {column} from {table} where {column} is not null"), [], |row| row.get(0))
        .unwrap()
}

fn rows(view: &View<'_>, table: &str) -> i64 {
    view.one(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
}
