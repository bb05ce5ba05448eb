//! Real shapes of answers: what Google, Apple, GitHub, Auth0, Entra ID, Okta, Keycloak, Authelia, authentik, Zitadel,
//! Cognito and GitLab send, from their documentation, through a whole sign-up and sign-in. The files are in
//! `tests/providers/shapes`; each names its sources.

use std::path::Path;

use domicile::config::{AppleKey, Provider, ProviderKind};
use domicile::signin::SignInOutcome;
use domicile::signin::oauth::{CallbackOutcome, Purpose};
use serde_json::{Map, Value, json};

use super::{ANONYMOUS, ProviderTest, describe, github, provider};
use crate::architecture::files_under;
use crate::support::CapturedLog;
use crate::support::{HelperProcess, TestApp};

/// The endpoints that we use, and where the scripted provider has them.
const ENDPOINTS: [(&str, &str); 4] = [
    ("authorization_endpoint", "/authorize"),
    ("token_endpoint", "/token"),
    ("jwks_uri", "/keys"),
    ("userinfo_endpoint", "/userinfo"),
];
/// The claims that are times. They move with the clock of the test.
const TIMES: [&str; 5] = ["exp", "iat", "nbf", "auth_time", "rat"];

/// A file of `tests/providers/shapes`. Each person has an address of their own.
struct Shape {
    name: String,
    file: Value,
}

fn shapes() -> Vec<Shape> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers/shapes");
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().replace('_', "-");
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("ada@example.org", &format!("{name}@example.org"));
        Shape { file: serde_json::from_str(&text).unwrap(), name }
    };
    files_under(&folder, "json").iter().map(read).collect()
}

impl Shape {
    fn real_issuer(&self) -> Option<&str> {
        self.file["metadata"]["issuer"].as_str()
    }

    /// Where the issuer is at the scripted provider: a path of its own, which ends as the real one does.
    fn path(&self) -> String {
        let rest = self.real_issuer().and_then(|issuer| issuer.splitn(4, '/').nth(3));
        rest.map_or(format!("/{}", self.name), |rest| format!("/{}/{rest}", self.name))
    }

    /// The settings that the manual tells to write for it.
    fn provider(&self, origin: &str, apple_key: &str) -> Provider {
        let texts = |key: &str| -> Vec<String> {
            let list = self.file["settings"][key].as_array();
            list.into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let kind = match self.file["kind"].as_str().unwrap() {
            "google" => ProviderKind::Google,
            "apple" => ProviderKind::Apple(AppleKey {
                team_id: "TEAM000001".into(),
                key_id: "KEY0000001".into(),
                private_key: domicile::base::Secret::new(apple_key.to_owned()),
            }),
            "github" => ProviderKind::GitHub,
            _ => ProviderKind::Oidc,
        };
        let (issuer, base) = match kind {
            // All registrations at GitHub have the same issuer, so each has its own here.
            ProviderKind::GitHub => (format!("{origin}/{}", self.name), github(origin)),
            _ => (format!("{origin}{}", self.path()), provider(&self.name, origin)),
        };
        Provider {
            name: self.name.clone(),
            kind,
            issuer,
            client_id: self.file["client_id"].as_str().unwrap().to_owned(),
            jwks_url: None,
            allowed_domains: texts("allowed_domains"),
            trusted_domains: texts("trusted_domains"),
            trusted_audiences: texts("trusted_audiences"),
            trust_emails: self.file["settings"]["trust_emails"] == true,
            ..base
        }
    }

    /// What the scripted provider answers.
    fn answers(&self, origin: &str, now: i64) -> Value {
        let later = now - self.file["now"].as_i64().unwrap();
        let issuer = format!("{origin}{}", self.path());
        let mut metadata: Map<String, Value> = self.file["metadata"].as_object().cloned().unwrap_or_default();
        let keeps = |member: &str| self.file["keeps"].as_array().is_some_and(|all| all.iter().any(|one| one == member));
        for (member, path) in ENDPOINTS.iter().filter(|(member, _)| !keeps(member)) {
            if metadata.contains_key(*member) {
                metadata.insert((*member).to_owned(), json!(format!("{origin}{path}")));
            }
        }
        metadata.insert("issuer".to_owned(), json!(issuer));
        let mut claims: Map<String, Value> = self.file["id_token"].as_object().cloned().unwrap_or_default();
        claims.remove("nonce");
        for time in TIMES {
            if let Some(at) = claims.get_mut(time) {
                *at = json!(at.as_i64().unwrap() + later);
            }
        }
        claims.insert("iss".to_owned(), json!(issuer));
        let redirect = if self.file["names_issuer"] == true { json!({"iss": issuer}) } else { json!({}) };
        let accepts = self.file["accepts"].as_str().unwrap_or("client_secret_basic");
        json!({
            "metadata": metadata, "claims": claims, "header": self.file["header"], "redirect": redirect,
            "sign": self.file["sign"].as_str().unwrap_or("good"), "tokens": self.file["tokens"],
            "userinfo": self.file["userinfo"], "github": self.file["github"], "accepts": accepts,
        })
    }
}

#[test]
fn people_of_every_provider_sign_up_and_sign_in() {
    let shapes = shapes();
    assert!(shapes.len() >= 14, "{} shapes", shapes.len());
    let paths: Vec<String> = shapes.iter().map(|shape| shape.path().trim_end_matches('/').to_owned()).collect();
    let (process, ready) = HelperProcess::provider("scripted.mjs", &json!({"paths": paths}));
    let (origin, key) = (ready["issuer"].as_str().unwrap().to_owned(), ready["apple_key"].as_str().unwrap());
    let test = TestApp::with(|config| {
        config.oauth = shapes.iter().map(|shape| shape.provider(&origin, key)).collect();
    });
    let mut world = ProviderTest { test, process, issuer: origin.clone() };
    let log = CapturedLog::start();

    for shape in &shapes {
        let (name, expected) = (shape.name.as_str(), &shape.file["expected"]);
        assert!(shape.file["source"].as_array().is_some_and(|all| !all.is_empty()), "{name} names its source");
        world.answers(shape.answers(&origin, world.now()));
        let arrived = world.round_trip(name, Purpose::SignIn, ANONYMOUS);
        assert!(
            matches!(arrived, Ok(CallbackOutcome::UsernameRequired)),
            "{name}: {} {}",
            describe(&arrived),
            log.take()
        );

        let username = format!("at-{name}");
        let made = world.choose_username(&username, &format!("{name}@example.net")).unwrap();
        let needs_code = matches!(made, SignInOutcome::VerificationPending(_));
        assert_eq!(json!(needs_code), expected["needs_code"], "{name}");
        let account = world.account(&username).unwrap();
        if expected["name"] != "" {
            assert_eq!(json!(account.display_name), expected["name"], "{name}");
        }
        let [identity] = <[_; 1]>::try_from(world.identities(account.id)).unwrap();
        let label = expected["label"].as_str().unwrap().replace("ada@example.org", &format!("{name}@example.org"));
        assert_eq!(identity.label, label, "{name}");

        let again = world.round_trip(name, Purpose::SignIn, ANONYMOUS);
        assert!(matches!(again, Ok(CallbackOutcome::SignedIn(_))), "{name}: {}", describe(&again));
        let logged = log.take();
        // Only these tell the admin something.
        let told = match name {
            "github-app-without-permission" => "Email addresses: read-only",
            "entra" => "graph.microsoft.com is not declared",
            _ => "",
        };
        assert!(logged.contains(told) && logged.contains("signin::oauth") != told.is_empty(), "{name}: {logged}");
    }
}

#[test]
fn without_their_settings_three_providers_are_refused_with_the_reason_in_the_log() {
    for (name, setting, told) in [
        ("entra", "trust_emails", "trust_emails = true"),
        ("authentik", "trust_emails", "trust_emails = true"),
        ("zitadel", "trusted_audiences", "trusted_audiences"),
    ] {
        let mut shape = shapes().into_iter().find(|shape| shape.name == name).unwrap();
        shape.file["settings"].as_object_mut().unwrap().remove(setting);
        let paths = json!({"paths": [shape.path().trim_end_matches('/')]});
        let (process, ready) = HelperProcess::provider("scripted.mjs", &paths);
        let origin = ready["issuer"].as_str().unwrap().to_owned();
        let test = TestApp::with(|config| config.oauth = vec![shape.provider(&origin, "")]);
        let mut world = ProviderTest { test, process, issuer: origin.clone() };
        world.answers(shape.answers(&origin, world.now()));
        let log = CapturedLog::start();

        let refused = world.round_trip(name, Purpose::SignIn, ANONYMOUS);

        assert!(refused.is_err(), "{name}: {}", describe(&refused));
        let logged = log.take();
        assert!(logged.contains(told) && logged.contains(&format!("provider=\"{name}\"")), "{name}: {logged}");
        assert_eq!(world.last_event().0, "auth.signin_failed", "{name}");
    }
}
