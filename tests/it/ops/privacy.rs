//! A person's rights over their data: export and erasure.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use domicile::accounts::{self, Bio, Company, DisplayName, Profile, UseCase};
use domicile::api_keys::{self, Channel, KeyPolicy, Limits};
use domicile::base::{
    AccountId, Actor, ApiKeyId, ArtifactId, CommandId, Credits, EmailAddress, Quantity, RequestId, Secret, Timestamp,
    Visitor, WorkspaceId, Zone, days, minutes,
};
use domicile::billing;
use domicile::billing::usage;
use domicile::billing::usage::authorizations::{self, UsageRequest};
use domicile::billing::vouchers::{self, NewBatch, NewCodes};
use domicile::db::{Cell, Decision, Erasure, Export as ColumnExport, Table};
use domicile::db::{Tx, View};
use domicile::idempotency;
use domicile::inbox::{self, AckOutcome, Acknowledgement, CommandFilter, CommandKind, NewCommand};
use domicile::people::{self, Links, PeopleError, Platform, Settings};
use domicile::privacy::data_map::tables;
use domicile::privacy::{self, Export, ExportRecipient, PrivacyError, flows};
use domicile::resources::{self, ActivityAction, ExternalId, NewActivity, NewLease, NewResource, ResourceName, Slug};
use domicile::schedule::ACK_HANDLERS;
use domicile::signin;
use domicile::signin::oauth;
use domicile::verification::{self, Verifier, VerifyRequest};
use domicile::{audit, invitations, services, workspaces};
use rusqlite::named_params;
use rusqlite::types::Value;
use serde_json::json;

use crate::support::{
    KeyBuilder, PASSWORD, Person, START, SignInBuilder, TestApp, UsageBuilder, create_service, holds,
};

mod answers;
mod columns;
mod erasures;
mod exports;
mod remains;

/// Values that a person leaves in a site. Each must be in the export, and none may exist after the erasure.
const CANARIES: [&str; 18] = [
    "canary-name",
    "Canary Displayname",
    "canary-company",
    "canary-link",
    "canary-bio of a person",
    "2001:db8::ca:4a",
    "Canary/1.0 (agent)",
    "canary-key",
    "canary-reason",
    "canary-name@work.example",
    "Asia/Almaty",
    "canary-replaced",
    "198.51.100.77",
    "Canary/2.0 (program)",
    "canary-elsewhere",
    "canary-note of a key",
    "canary-resource",
    "canary-slug",
];

/// Texts that services give about a person: the ids that they use, what they answer, what they repeat. None may exist when the person
/// was erased and the services have deleted what they had.
const OF_SERVICES: [&str; 6] =
    ["canary-external", "canary-idempotency", "canary-detail", "canary-answer", "canary-activity", "canary-kept-name"];

type Files = BTreeMap<String, Vec<u8>>;

impl TestApp {
    /// A person with data in every table about people.
    fn person_with_all_data(&self) -> Person {
        let address = EmailAddress::parse("canary-name@example.org").unwrap();
        self.write(move |tx| invitations::issue(tx, &Actor::Operator, address, false)).unwrap();
        let ada = self.person(CANARIES[0]);
        let (id, actor) = (ada.account.id, self.in_browser(&ada));
        let profile = Profile {
            display_name: DisplayName::parse(CANARIES[1]).unwrap(),
            company: Company::parse(CANARIES[2]).unwrap(),
            use_case: Some(UseCase::Agriculture),
            bio: Bio::parse(CANARIES[4]).unwrap(),
        };
        let links =
            Links::parse(|platform| if platform == Platform::GitHub { CANARIES[3] } else { Default::default() });
        let settings = Settings { zone: Zone::parse(CANARIES[10]).unwrap(), ..Settings::default() };
        let (recorder, links) = (actor.clone(), links.unwrap());
        self.write(move |tx| {
            people::save_profile(tx, &recorder, id, &profile, &links)?;
            people::save_settings(tx, &recorder, id, settings)?;
            accounts::send_code(tx, &recorder, id)?;
            Ok::<_, PeopleError>(())
        })
        .unwrap();
        self.connect_provider(id);
        self.block_on(people::flows::set_picture(&self.app, actor.clone(), id, a_picture())).unwrap();
        self.move_to(&ada, CANARIES[9]);
        self.clock.advance(minutes(1));
        let reset = signin::flows::request_reset(&self.app, home(), CANARIES[9]);
        self.block_on(reset).unwrap();
        let form = SignInBuilder::new(CANARIES[0], "wrong").build();
        assert!(self.block_on(signin::flows::sign_in(&self.app, home(), form)).is_err());
        let form = SignInBuilder::new(CANARIES[0], PASSWORD).remember(true).build();
        assert!(self.block_on(signin::flows::sign_in(&self.app, home(), form)).is_ok());

        self.clock.advance(minutes(1));
        let key = self.api_key(&ada, CANARIES[7]);
        let verifier = Verifier::new(self.app.clone());
        self.clock.advance(minutes(1));
        (0..777).for_each(|_| drop(verifier.verify(key.secret.expose()).unwrap().into_result().unwrap()));
        let replaced = self.replaced_key(&ada, &verifier);
        self.block_on(verification::record_use(&self.app, &verifier)).unwrap();
        self.clock.advance(minutes(1));
        let workspace = ada.workspace;
        let event = |id: &str, key| {
            Ok(UsageBuilder::new(workspace, id, Timestamp::parse(START).unwrap())
                .quantity("1500")
                .key(Some(key))
                .build())
        };
        let batch = [event("run-1", key.key.id), event("run-2", replaced)];
        let redeemer = self.in_browser(&ada);
        self.write(move |tx| {
            billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(25), CANARIES[8]).unwrap();
            let (service, _) = create_service(tx, "farm").unwrap();
            let farm = Actor::Service { service: service.id, name: service.name, request: String::new() };
            usage::record_batch(tx, &farm, &batch).unwrap();
            redeem(tx, &redeemer);
            billing::allowances::set(tx, &Actor::Operator, workspace, Some(Credits::whole(2))).unwrap();
            authorize(tx, &farm, workspace, key.key.id);
            keep_resources(tx, &farm, workspace);
            keep_answer(tx, &farm, workspace);
            end_resources(tx, workspace);
            Ok::<_, domicile::db::Error>(())
        })
        .unwrap();
        self.commands_about(&ada);
        ada
    }

    /// Commands to a service about the person, one of them to erase, and a webhook with its answer.
    fn commands_about(&self, person: &Person) {
        let (workspace, subject) = (Some(person.workspace), Some(person.account.id));
        self.write(move |tx| {
            let service = services::find(tx, "farm").unwrap().id;
            tx.execute(
                "insert into service_workspace (service_id, workspace_id) values (:service, :workspace)",
                named_params! {":service": service, ":workspace": workspace},
            )?;
            for kind in [CommandKind::DsrExport, CommandKind::DsrErase] {
                let data = json!({"name": CANARIES[1]});
                let id = inbox::send(tx, service, &NewCommand { kind, workspace, subject, data, deadline: None })?;
                answered(tx, id, CANARIES[1])?;
            }
            // About the workspace only: one that the service has done, and one that it has not.
            let data = json!({"resource": OF_SERVICES[0]});
            let about = NewCommand { kind: CommandKind::UsageStop, workspace, subject: None, data, deadline: None };
            for is_done in [true, false] {
                let id = inbox::send(tx, service, &about)?;
                answered(tx, id, OF_SERVICES[3])?;
                let said = Acknowledgement::new(AckOutcome::Failed, OF_SERVICES[2]).unwrap();
                if is_done {
                    inbox::acknowledge(tx, ACK_HANDLERS, service, id, &said).unwrap();
                }
            }
            Ok::<_, domicile::db::Error>(())
        })
        .unwrap();
    }

    /// A connected account of another provider, and an authorization request in progress.
    fn connect_provider(&self, id: AccountId) {
        let identity = "
            insert into identity (id, account_id, provider, issuer, subject, label, email, linked_at, last_used_at)
            values ('idn_00000000000000000000000000', :id, 'corp', 'https://idp.example', :name, :name, :name, 1, 2)";
        self.write(move |tx| {
            tx.execute(identity, named_params! {":id": id, ":name": CANARIES[14]})?;
            oauth::begin(tx, "corp", oauth::Purpose::Connect, Some(id), "/", "a browser").map(|_| ())
        })
        .unwrap();
    }

    /// A row in every table of second factors.
    fn second_factors(&self, account: AccountId) {
        let sealed: [(&str, &str); 8] = [
            ("totp", "account_id, sealed_secret, last_step, confirmed_at) values (:id, x'00', 1, 1777000000001"),
            ("totp_setup", "account_id, sealed_secret, expires_at) values (:id, x'00', 1777000000002"),
            ("recovery_code", "lookup, account_id, created_at) values (zeroblob(32), :id, 1777000000003"),
            ("passkey_handle", "account_id, handle) values (:id, zeroblob(16)"),
            (
                "passkey",
                "id, account_id, credential_id, credential_json, name, sign_count, is_backed_up, created_at)
                 values ('pk_1', :id, x'00', '{}', 'canary-passkey', 3, 1, 1777000000004",
            ),
            (
                "passkey_challenge",
                "digest, purpose, account_id, state_json, expires_at)
                 values (zeroblob(32), 'add', :id, '{}', 1777000000005",
            ),
            (
                "half_session",
                "digest, account_id, method, remember, password_stamp, expires_at)
                 values (zeroblob(32), :id, 'password', 0, x'00', 1777000000006",
            ),
            (
                "factor_reset",
                "account_id, asked_by, asked_at, due_at) values (:id, 'person', 1777000000007, 1777000000008",
            ),
        ];
        self.write(move |tx| {
            for (table, rest) in sealed {
                tx.execute(&format!("insert or ignore into {table} ({rest})"), named_params! {":id": account})?;
            }
            Ok::<_, domicile::db::Error>(())
        })
        .unwrap();
    }

    /// A key with every limit that was replaced and is still in use, in a workspace with its own key policy.
    fn replaced_key(&self, ada: &Person, verifier: &Verifier) -> ApiKeyId {
        let limits = Limits::parse("198.51.100.0/24 2001:db8:ca::/48", "600", "1", "total").unwrap();
        let new = KeyBuilder::named(CANARIES[11]).note(CANARIES[15]).limits(limits).build();
        let key = self.make_key(ada, new);
        let request = VerifyRequest {
            address: CANARIES[12].parse().ok(),
            agent: CANARIES[13],
            required: self.app.config().scopes.parse("models:read").unwrap(),
            ..VerifyRequest::new(Channel::Api)
        };
        verifier.verify_request(key.secret.expose(), &request).unwrap().into_result().unwrap();
        let (admin, account, workspace, id) = (ada.credential_admin(), ada.account.id, ada.workspace, key.key.id);
        self.write(move |tx| {
            api_keys::set_policy(tx, &admin, account, workspace, Some(KeyPolicy { max_life_days: 99 }))?;
            api_keys::rotate(tx, &admin, id, days(7))
        })
        .unwrap();
        self.clock.advance(minutes(1));
        verifier.verify_request(key.secret.expose(), &request).unwrap().into_result().unwrap();
        id
    }

    /// Adds an address, verifies it and makes it the primary one.
    fn move_to(&self, person: &Person, email: &'static str) {
        let (actor, id) = (self.in_browser(person), person.account.id);
        let (by, address) = (actor.clone(), EmailAddress::parse(email).unwrap());
        let added = self.write(move |tx| accounts::addresses::add_email(tx, &by, id, &address)).unwrap();
        let code = self.message(email, "code").code();
        let by = actor.clone();
        self.write_deciding(move |tx| signin::verify_added_email(tx, &by, id, added, &code)).unwrap();
        self.write(move |tx| signin::set_primary_email(tx, &actor, id, added)).unwrap();
    }

    /// The person in a browser, with the visitor of [`home`].
    fn in_browser(&self, person: &Person) -> Actor {
        let mut actor = person.by_browser();
        if let Actor::SignedIn { visitor, .. } = &mut actor {
            *visitor = home();
        }
        actor
    }

    fn request(&self, person: &Person, recipient: &str) -> Result<RequestId, PrivacyError> {
        self.request_as(self.in_browser(person), person.account.id, recipient)
    }

    fn request_as(&self, actor: Actor, account: AccountId, recipient: &str) -> Result<RequestId, PrivacyError> {
        let recipient = ExportRecipient::key(recipient).unwrap();
        self.write(move |tx| privacy::request_export(tx, &actor, account, &recipient))
    }

    /// The newest export of the person.
    fn export(&self, person: &Person) -> Export {
        self.read(|view| privacy::list_exports(view, person.account.id).unwrap()).remove(0)
    }

    /// The path of an export's file.
    fn file_of(&self, artifact: ArtifactId) -> PathBuf {
        self.layout().exports().join(format!("{artifact}.zip.age"))
    }

    /// Requests an export, runs its job and opens it.
    fn exported(&self, person: &Person) -> Files {
        let identity = age::x25519::Identity::generate();
        self.request(person, &identity.to_public().to_string()).unwrap();
        self.run_jobs();
        let artifact = self.export(person).artifact.unwrap();
        decrypted(&std::fs::read(self.file_of(artifact.id)).unwrap(), &identity).unwrap()
    }

    fn exports_folder(&self) -> Vec<String> {
        TestApp::files_in(&self.layout().exports())
    }
}

/// What a service answered to a webhook.
fn answered(tx: &mut Tx<'_>, command: CommandId, answer: &str) -> Result<(), domicile::db::Error> {
    tx.execute(
        "insert into webhook_delivery (command_id, at, duration_ms, status, answer) values (:id, 1, 2, 500, :answer)",
        named_params! {":id": command, ":answer": answer},
    )?;
    Ok(())
}

/// The stored answer to a request of a service that it may repeat.
fn keep_answer(tx: &mut Tx<'_>, farm: &Actor, workspace: WorkspaceId) {
    let request = idempotency::Request {
        actor: farm.id().unwrap(),
        route: "PUT /v1/resources/{id}".to_owned(),
        key: OF_SERVICES[1].into(),
        hash: [7; 32],
    };
    let body = json!({"id": OF_SERVICES[0], "name": OF_SERVICES[5]}).to_string();
    let answer = idempotency::Answer { status: 200, body, workspace: Some(workspace) };
    idempotency::once::<domicile::db::Error>(tx, Some(&request), |_| Ok(answer)).unwrap();
}

/// Something of a service that is disconnected, and something that was deleted for good; and what a service reports.
fn end_resources(tx: &mut Tx<'_>, workspace: WorkspaceId) {
    let (gone, _) = create_service(tx, "gone").unwrap();
    let gone = Actor::Service { service: gone.id, name: gone.name, request: String::new() };
    let new = |id: &str| NewResource {
        external_id: ExternalId::parse(id).unwrap(),
        workspace,
        kind: "dataset".into(),
        name: ResourceName::parse("canary-resource").unwrap(),
        slug: None,
        parent: None,
        size_bytes: 70_000,
        version: 1,
    };
    resources::put(tx, &gone, &new("canary-external-left")).unwrap();
    resources::put(tx, &gone, &new("canary-external-purged")).unwrap();
    resources::delete_by_service(tx, &gone, &ExternalId::parse("canary-external-purged").unwrap()).unwrap();
    let item = NewActivity {
        workspace,
        kind: "training".into(),
        action: ActivityAction::Completed,
        resource: None,
        name: ResourceName::parse(OF_SERVICES[4]),
    };
    resources::report_activity(tx, &gone, &item).unwrap();
    services::disconnect(tx, &Actor::Operator, "gone").unwrap();
}

/// A voucher that the person redeems.
fn redeem(tx: &mut Tx<'_>, person: &Actor) {
    let (codes, reason) = (NewCodes::Vouchers(1), "Workshop".to_owned());
    let new = NewBatch { amount: Credits::whole(3), reason, codes, lasts: None, credit_lasts: None };
    let made = vouchers::create(tx, &Actor::Operator, &new).unwrap();
    assert!(matches!(vouchers::redeem(tx, person, made.codes[0].shown()), Ok(Decision::Done(_))));
}

/// Credit that is reserved, also of the budget of a key.
fn authorize(tx: &mut Tx<'_>, farm: &Actor, workspace: WorkspaceId, key: ApiKeyId) {
    let (sku, quantity) = ("gpu.h100".to_owned(), Quantity::parse("500").unwrap());
    authorizations::authorize(tx, farm, &UsageRequest { workspace, sku, quantity, key: Some(key) }).unwrap();
}

/// A project, and a model of it in the trash, and a reserved place.
fn keep_resources(tx: &mut Tx<'_>, farm: &Actor, workspace: WorkspaceId) {
    let new = |id: &str, kind: &str, parent: Option<&str>| NewResource {
        external_id: ExternalId::parse(id).unwrap(),
        workspace,
        kind: kind.into(),
        name: ResourceName::parse("canary-resource").unwrap(),
        slug: Slug::parse("canary-slug"),
        parent: parent.and_then(ExternalId::parse),
        size_bytes: 5_400_000,
        version: 1,
    };
    resources::put(tx, farm, &new("canary-external-p", "project", None)).unwrap();
    let (model, _) = resources::put(tx, farm, &new("canary-external-m", "model", Some("canary-external-p"))).unwrap();
    resources::trash(tx, farm, workspace, model.id).unwrap();
    let lease =
        NewLease { workspace, kind: "model".into(), quantity: 1, size_bytes: 1, lasts: resources::LEASE_DEFAULT };
    resources::grant_lease(tx, farm, &lease).unwrap();
    let expiring =
        "insert into credit_expiry_notice (lot_id, workspace_id, days) values ('lot_canary', :workspace_id, 7)";
    tx.execute(expiring, named_params! {":workspace_id": workspace}).unwrap();
    let notice = "insert into storage_notice (workspace_id, percent) values (:workspace_id, 80)";
    tx.execute(notice, named_params! {":workspace_id": workspace}).unwrap();
}

fn home() -> Visitor {
    Visitor { address: CANARIES[5].into(), agent: CANARIES[6].into(), ..Visitor::default() }
}

fn a_picture() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(60, 60, image::Rgb([0, 99, 0])).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

fn some_key() -> String {
    age::x25519::Identity::generate().to_public().to_string()
}

/// Opens an export: age, then zip.
fn decrypted(bytes: &[u8], identity: &dyn age::Identity) -> Result<Files, age::DecryptError> {
    let mut plain = Vec::new();
    age::Decryptor::new(bytes)?.decrypt(std::iter::once(identity))?.read_to_end(&mut plain).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(plain)).unwrap();
    let mut files = Files::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let name = file.name().unwrap().into_owned();
        assert!(files.insert(name.clone(), bytes).is_none(), "{name} is in the archive twice");
    }
    Ok(files)
}

/// The text of all files of an archive except pictures.
fn text_of(files: &Files) -> String {
    let texts = files.iter().filter(|(name, _)| !name.starts_with("account/picture."));
    texts.map(|(_, bytes)| std::str::from_utf8(bytes).unwrap()).collect::<Vec<_>>().join("\n")
}

/// The values of one column.
fn column(view: &View<'_>, table: &str, column: &str) -> Vec<Value> {
    view.list(&format!("select distinct {column} from {table} where {column} is not null"), [], |row| row.get(0))
        .unwrap()
}

fn rows(view: &View<'_>, table: &str) -> i64 {
    view.one(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
}
