//! Every member of what a provider sends, bent one by one: missing, null, of another type, empty, very long, with another
//! value. The snapshot states for each whether the person comes in, or with which code they are refused. Who somebody is
//! is decided strictly; everything else refuses nobody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domicile::base::{Problem, hours};
use domicile::config::Provider;
use domicile::signin::oauth::{CallbackOutcome, OauthError, Purpose};
use serde_json::{Value, json};

use super::{ANONYMOUS, CLIENT, ProviderTest, github, provider};
use crate::support::CapturedLog;
use crate::support::rounds;
use crate::texts::text_is_same;

const EMAIL: &str = "ada@example.net";
const LONG: usize = 20_000;

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Metadata,
    Header,
    Token,
    Claims,
    Userinfo,
    GithubUser,
    GithubEmail,
}

/// The members that we read. What each does to a sign-in is in the snapshot.
const READ: [(Part, &[&str]); 7] = [
    (
        Part::Metadata,
        &[
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
            "token_endpoint_auth_methods_supported",
            "authorization_response_iss_parameter_supported",
        ],
    ),
    (Part::Header, &["alg", "kid", "typ", "crit"]),
    (Part::Token, &["id_token", "access_token", "error"]),
    (
        Part::Claims,
        &[
            "iss",
            "sub",
            "aud",
            "azp",
            "nonce",
            "exp",
            "iat",
            "nbf",
            "auth_time",
            "email",
            "email_verified",
            "name",
            "preferred_username",
        ],
    ),
    (Part::Userinfo, &["sub", "email", "email_verified", "name", "preferred_username"]),
    (Part::GithubUser, &["id", "login", "name"]),
    (Part::GithubEmail, &["email", "primary", "verified"]),
];

/// Members that providers send and that we do not read. None of them, whatever it is, refuses anybody.
const UNREAD: [(Part, &[&str]); 7] = [
    (
        Part::Metadata,
        &[
            "response_types_supported",
            "id_token_signing_alg_values_supported",
            "claims_supported",
            "code_challenge_methods_supported",
            "mtls_endpoint_aliases",
        ],
    ),
    (Part::Header, &["x5t", "cty"]),
    (Part::Token, &["token_type", "expires_in", "refresh_token", "scope", "not-before-policy"]),
    (
        Part::Claims,
        &[
            "updated_at",
            "hd",
            "acr",
            "amr",
            "at_hash",
            "sid",
            "jti",
            "locale",
            "zoneinfo",
            "picture",
            "birthdate",
            "address",
            "phone_number_verified",
            "groups",
            "cognito:groups",
        ],
    ),
    (Part::Userinfo, &["updated_at", "groups"]),
    (Part::GithubUser, &["email", "plan", "two_factor_authentication"]),
    (Part::GithubEmail, &["visibility"]),
];

fn bends() -> Vec<(&'static str, Value)> {
    vec![
        ("missing", Value::Null),
        // The scripted provider writes null for this.
        ("null", json!("<null>")),
        ("true", json!(true)),
        ("7", json!(7)),
        ("another text", json!("somebody-else")),
        ("empty", json!("")),
        ("long", json!("x".repeat(LONG))),
        ("a list", json!(["somebody-else"])),
        ("an object", json!({"a": 1})),
    ]
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Header => "header",
            Self::Token => "token answer",
            Self::Claims => "id token",
            Self::Userinfo => "userinfo",
            Self::GithubUser => "github user",
            Self::GithubEmail => "github email",
        }
    }

    const fn provider(self) -> &'static str {
        if matches!(self, Self::GithubUser | Self::GithubEmail) { "github" } else { "corp" }
    }

    /// Good answers in which these members have this value.
    fn bent(self, issuer: &str, now: i64, members: &[&str], value: &Value) -> Value {
        let person = json!({
            "sub": "1", "email": EMAIL, "email_verified": true, "name": "Ada", "preferred_username": "ada",
        });
        let mut answers = json!({
            "metadata": {"jwks_uri": format!("{issuer}/keys")},
            "header": {}, "tokens": {}, "userinfo": person,
            "claims": {"sub": "1", "aud": CLIENT, "azp": CLIENT, "nbf": now, "auth_time": now},
            "github": {
                "user": {"id": 77, "login": "ada", "name": "Ada"},
                "emails": [{"email": EMAIL, "primary": true, "verified": true, "visibility": "public"}],
            },
        });
        if self != Self::Userinfo {
            for (name, claim) in person.as_object().unwrap() {
                answers["claims"][name] = claim.clone();
            }
            answers["userinfo"] = json!({"sub": "1"});
        }
        let place = match self {
            Self::Metadata => &mut answers["metadata"],
            Self::Header => &mut answers["header"],
            Self::Token => &mut answers["tokens"],
            Self::Claims => &mut answers["claims"],
            Self::Userinfo => &mut answers["userinfo"],
            Self::GithubUser => &mut answers["github"]["user"],
            Self::GithubEmail => &mut answers["github"]["emails"][0],
        };
        // Only the members of `merged` know how to be missing; the others are sent as they are here.
        let is_merged = matches!(self, Self::Metadata | Self::Header | Self::Token | Self::Claims);
        for member in members {
            match (is_merged, value.is_null(), value == "<null>") {
                (false, true, _) => {
                    place.as_object_mut().unwrap().remove(*member);
                }
                (false, _, true) => place[*member] = Value::Null,
                (_, _, _) => place[*member] = value.clone(),
            }
        }
        answers
    }
}

/// What became of a sign-in, in a word or two.
fn word(
    world: &ProviderTest,
    arrived: Result<CallbackOutcome, OauthError>,
    account: domicile::base::AccountId,
) -> String {
    match arrived {
        Ok(CallbackOutcome::SignedIn(_)) => {
            let labels = world.identities(account).into_iter().map(|identity| identity.label);
            let known = labels.filter(|label| label == EMAIL).count();
            if known == 2 { "in".to_owned() } else { "in, address unknown".to_owned() }
        }
        Ok(_) => "another person".to_owned(),
        Err(error) => {
            let reason = match &error {
                OauthError::Refused(refusal) => refusal.member().unwrap_or(refusal.as_str()),
                _ => "",
            };
            let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            format!("{}{reason}", Problem::from(error).code)
        }
    }
}

/// A person with an identity at both providers.
fn ada(allowed: &[&str]) -> (ProviderTest, domicile::base::AccountId) {
    let allowed_domains: Vec<String> = allowed.iter().map(|domain| (*domain).to_owned()).collect();
    let mut world = ProviderTest::with(|issuer| {
        let corp = Provider { jwks_url: None, allowed_domains: allowed_domains.clone(), ..provider("corp", issuer) };
        vec![corp, Provider { allowed_domains, ..github(issuer) }]
    });
    let good = Part::Claims.bent(&world.issuer.clone(), world.now(), &["locale"], &json!("en"));
    world.answers(good.clone());
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
    world.choose_username("ada-l", EMAIL).unwrap();
    let code = world.test.message(EMAIL, "code").code();
    let account = world.account("ada-l").unwrap().id;
    let actor = domicile::base::Actor::Anonymous(crate::support::visitor());
    world.test.write_deciding(move |tx| domicile::signin::verify(tx, &actor, account, &code)).unwrap();
    let at_home = world.signed_in();
    world.round_trip("github", Purpose::Connect, at_home).unwrap();
    world.connect(at_home).unwrap();
    (world, account)
}

/// Bends members in every way: the outcome of each way.
fn outcomes(
    world: &mut ProviderTest,
    account: domicile::base::AccountId,
    log: &CapturedLog,
    part: Part,
    members: &[&str],
) -> BTreeMap<String, Vec<&'static str>> {
    let mut outcomes: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (bend, value) in bends() {
        if part == Part::Metadata {
            // The cached metadata expire, and what failed is asked again.
            world.test.clock.advance(hours(25));
        }
        let answers = part.bent(&world.issuer.clone(), world.now(), members, &value);
        world.answers(answers);
        log.take();
        let arrived = world.round_trip(part.provider(), Purpose::SignIn, ANONYMOUS);
        let cause = match &arrived {
            Err(OauthError::Misconfigured { cause, .. }) => cause.clone(),
            Err(OauthError::Unavailable { cause, .. }) => cause.to_string(),
            _ => String::new(),
        };
        let outcome = word(world, arrived, account);
        let logged = log.take() + &cause;
        let case = format!("{} {members:?} {bend}: {outcome}", part.name());
        // The admin reads which member it was, and no value.
        if let Some((_, rest)) = outcome.split_once('(') {
            let named = rest.trim_end_matches(')');
            let is_member = !["answer", "client", "code", "issuer", "state"].contains(&named);
            assert!(!is_member || logged.contains(named) || logged.contains("allowed_domains"), "{case}: {logged}");
        }
        assert!(
            outcome.starts_with("in") || outcome == "another person" || !logged.is_empty(),
            "{case}: nothing is logged"
        );
        for secret in [EMAIL, "scripted-secret", "Bearer", &"x".repeat(600)] {
            assert!(!logged.contains(secret), "{case}: {secret} is logged");
        }
        outcomes.entry(outcome).or_default().push(bend);
    }
    outcomes
}

fn write_row(text: &mut String, part: Part, member: &str, outcomes: &BTreeMap<String, Vec<&'static str>>) {
    writeln!(text, "{}: {member}", part.name()).unwrap();
    for (outcome, bends) in outcomes {
        let bends = if outcomes.len() == 1 { "whatever it is".to_owned() } else { bends.join(", ") };
        writeln!(text, "    {outcome}: {bends}").unwrap();
    }
}

#[test]
fn each_member_is_accepted_or_refused_with_its_code() {
    let (mut world, account) = ada(&[]);
    let log = CapturedLog::start();
    let mut text = String::new();

    for (part, members) in READ {
        for member in members {
            let outcomes = outcomes(&mut world, account, &log, part, &[member]);
            // Another subject is another person.
            let decides_who = ["sub", "id"].contains(member);
            assert!(decides_who || !outcomes.contains_key("another person"), "{part:?} {member}: {outcomes:?}");
            write_row(&mut text, part, member, &outcomes);
        }
    }
    // Only where the settings let in some domains, the address decides.
    let (mut world, account) = ada(&["example.net"]);
    text.push_str("\nWith allowed_domains\n");
    for (part, members) in READ.iter().filter(|(part, _)| !matches!(part, Part::Metadata | Part::Header | Part::Token))
    {
        for member in
            members.iter().filter(|member| ["email", "email_verified", "primary", "verified"].contains(member))
        {
            let outcomes = outcomes(&mut world, account, &log, *part, &[member]);
            write_row(&mut text, *part, member, &outcomes);
        }
    }

    text_is_same("providers", "bent", &text);
}

/// In a quick run, several of them at once: together, they stay below the size of an answer that is read.
#[test]
fn a_member_that_nobody_reads_refuses_nobody() {
    let (mut world, account) = ada(&[]);
    let log = CapturedLog::start();
    for (part, members) in UNREAD {
        for bent in members.chunks(rounds(8, 1)) {
            let outcomes = outcomes(&mut world, account, &log, part, bent);
            assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["in"], "{part:?} {bent:?}: {outcomes:?}");
        }
    }
}
