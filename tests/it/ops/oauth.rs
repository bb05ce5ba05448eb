//! Coming in with an account elsewhere: through the flows, with a real provider beside us that says what it is told to.

mod forged;
mod people;
mod signatures;
mod ways;
mod with_factors;

use domicile::accounts::{self, Account, AccountState};
use domicile::base::{AccountId, Actor, Secret, SessionId, minutes};
use domicile::config::{Provider, ProviderKind};
use domicile::sessions;
use domicile::signin::oauth::{self, Answered, Arrived, Identity, OauthError, Purpose, Typed, flows};
use domicile::signin::{self, Started};
use serde_json::{Value, json};

use crate::support::{HelperProcess, Person, TestApp, tables, visitor};

/// What a browser's cookie holds: forty-three letters.
const BROWSER: &str = "ada-at-home-0000000000000000000000000000000";
const OTHER_BROWSER: &str = "a-thief-elsewhere-0000000000000000000000000";
const CLIENT: &str = "domicile";

/// An appliance and a provider, `corp`, that says what it is told to.
struct World {
    test: TestApp,
    liar: HelperProcess,
    issuer: String,
}

/// Somebody at their browser.
#[derive(Clone, Copy)]
struct Somebody<'a> {
    browser: Option<&'a str>,
    session: Option<(AccountId, SessionId)>,
}

const STRANGER: Somebody<'static> = Somebody { browser: Some(BROWSER), session: None };

/// A provider at `issuer`, as the settings would make it.
fn provider(name: &str, issuer: &str) -> Provider {
    Provider {
        name: name.into(),
        label: "Example Corp".into(),
        kind: ProviderKind::Oidc,
        client_id: CLIENT.into(),
        client_secret: Secret::new("liars-secret".into()),
        issuer: issuer.into(),
        authorize_url: None,
        token_url: None,
        api_url: None,
        jwks_url: Some(format!("{issuer}/keys")),
        scopes: Vec::new(),
        allowed_domains: Vec::new(),
        trusted_domains: Vec::new(),
    }
}

/// GitHub, as the liar plays it.
fn github(issuer: &str) -> Provider {
    Provider {
        kind: ProviderKind::GitHub,
        label: "GitHub".into(),
        authorize_url: Some(format!("{issuer}/authorize")),
        token_url: Some(format!("{issuer}/login/oauth/access_token")),
        api_url: Some(format!("{issuer}/api")),
        ..provider("github", issuer)
    }
}

/// What may not change when an answer is refused: the rows of every table but the audit's and the used-up way's.
fn rows(test: &TestApp) -> Vec<(String, i64)> {
    test.read(|view| {
        let kept = |table: &String| !table.starts_with("audit") && table != "oauth_flow" && table != "subject_key";
        let count = |table: &str| view.one(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap();
        tables(view).into_iter().filter(kept).map(|table| (table.clone(), count(&table))).collect()
    })
}

impl World {
    fn new() -> Self {
        Self::with(|issuer| vec![provider("corp", issuer)])
    }

    fn with(providers: impl FnOnce(&str) -> Vec<Provider>) -> Self {
        let (liar, ready) = HelperProcess::provider("liar.mjs", &json!({}));
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        let test = TestApp::with(|config| config.oauth = providers(&issuer));
        let mut world = Self { test, liar, issuer };
        world.says(json!({}));
        world
    }

    /// What the provider says from now on, at this hour of the test.
    fn says(&mut self, lie: Value) {
        self.liar.tell(&json!({"now": self.now(), "lie": lie}));
    }

    /// The provider says that this is who came.
    fn says_who(&mut self, subject: &str, email: &str) {
        self.says(json!({"claims": {"sub": subject, "email": email, "email_verified": true}}));
    }

    fn now(&self) -> i64 {
        self.test.clock.now().unix_seconds()
    }

    /// How often a path of the provider was asked.
    fn asked(&mut self, path: &str) -> usize {
        self.bodies(path).len()
    }

    fn bodies(&mut self, path: &str) -> Vec<Value> {
        self.liar.tell(&json!({"seen": true}))[path].as_array().cloned().unwrap_or_default()
    }

    /// Leaves for the provider: where the browser is sent.
    fn leave(&self, name: &str, purpose: Purpose, who: Somebody<'_>) -> Result<String, OauthError> {
        let account = who.session.map(|(account, _)| account);
        let browser = who.browser.unwrap_or(BROWSER);
        self.test.block_on(flows::start(&self.test.app, name, purpose, account, "/settings/keys", browser))
    }

    /// The browser goes there and is sent back with an answer.
    fn answer(&self, url: &str) -> Answered {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let back = agent.get(url).call().unwrap();
        let location = back.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let location = reqwest::Url::parse(&location.expect("the provider sends the browser back")).unwrap();
        let part =
            |wanted: &str| location.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        Answered {
            state: part("state").unwrap_or_default(),
            code: part("code").unwrap_or_default(),
            error: part("error").unwrap_or_default(),
            issuer: part("iss"),
            user: String::new(),
        }
    }

    fn finish(&self, name: &str, answered: Answered, who: Somebody<'_>) -> Result<Arrived, OauthError> {
        let actor = match who.session {
            Some((account, session)) => self.by(account, session),
            None => Actor::Anonymous(visitor()),
        };
        let browser = who.browser.map(str::to_owned);
        let finished = flows::finish(&self.test.app, actor, name, answered, browser, who.session);
        self.test.block_on(finished).map(|(arrived, _)| arrived)
    }

    /// There and back.
    fn come(&self, name: &str, purpose: Purpose, who: Somebody<'_>) -> Result<Arrived, OauthError> {
        let url = self.leave(name, purpose, who)?;
        self.finish(name, self.answer(&url), who)
    }

    fn sign_in(&self) -> Result<Arrived, OauthError> {
        self.come("corp", Purpose::SignIn, STRANGER)
    }

    /// Whoever came back chooses a username; with an address where none is vouched for.
    fn choose(&self, username: &str, email: &str) -> Result<Started, OauthError> {
        let typed = Typed { username: username.into(), email: email.into() };
        let actor = Actor::Anonymous(visitor());
        self.test.write(move |tx| oauth::sign_up(tx, &actor, BROWSER, &typed)).map(|(started, _)| started)
    }

    /// Somebody who never had a password: came from the provider, which answers for the address.
    fn newcomer(&mut self, subject: &str, email: &str, username: &str) -> AccountId {
        // Later than any code that went to the same address before.
        self.test.clock.advance(minutes(1));
        self.says_who(subject, email);
        assert!(matches!(self.sign_in(), Ok(Arrived::MustChoose)), "{username} is new here");
        match self.choose(username, email).unwrap() {
            Started::Session { token, .. } => self.whose(&token).0,
            Started::MustVerify(account) => {
                let code = self.test.message(email, "code").code();
                let actor = Actor::Anonymous(visitor());
                self.test.write(move |tx| signin::verify(tx, &actor, account, &code)).unwrap().unwrap();
                account
            }
            Started::MustProve(_) => panic!("{username} has no factor yet"),
        }
    }

    /// Connects who waits in the browser.
    fn connect(&self, who: Somebody<'_>) -> Result<(), OauthError> {
        let ((account, session), browser) = (who.session.unwrap(), who.browser.unwrap().to_owned());
        let actor = self.by(account, session);
        self.test.write(move |tx| oauth::connect(tx, &actor, account, session, &browser)).map(|_| ())
    }

    fn disconnect(&self, who: &Somebody<'_>, identity: &Identity) -> Result<(), OauthError> {
        let ((account, session), id) = (who.session.unwrap(), identity.id);
        let actor = self.by(account, session);
        self.test.write(move |tx| oauth::disconnect(tx, &actor, account, session, id)).and_then(|inner| inner)
    }

    fn by(&self, account: AccountId, session: SessionId) -> Actor {
        let workspace = self.test.read(|view| domicile::workspaces::personal(view, account).unwrap().unwrap().id);
        Actor::SignedIn { account, workspace, session, visitor: visitor() }
    }

    /// The person of a session's cookie.
    fn whose(&self, token: &Secret<String>) -> (AccountId, SessionId) {
        let current = self.test.read(|view| sessions::current(view, token.expose()).unwrap());
        current.map(|current| (current.account, current.id)).expect("a live session")
    }

    /// The person in a session of their own, with a password.
    fn at_home(&self, person: &Person) -> Somebody<'static> {
        let session = self.whose(&self.test.session(&person.account.username));
        Somebody { browser: Some(BROWSER), session: Some(session) }
    }

    /// A session that began at the provider.
    fn came_in(&self) -> Somebody<'static> {
        match self.sign_in() {
            Ok(Arrived::Entered(Started::Session { token, .. })) => {
                Somebody { browser: Some(BROWSER), session: Some(self.whose(&token)) }
            }
            other => panic!("they cannot come in: {}", told(&other)),
        }
    }

    fn account(&self, username: &str) -> Option<Account> {
        self.test.read(|view| accounts::find_by_name(view, username).unwrap())
    }

    fn state(&self, account: AccountId) -> AccountState {
        self.test.read(|view| accounts::find(view, account).unwrap().expect("the account").state)
    }

    fn identities(&self, account: AccountId) -> Vec<Identity> {
        self.test.read(|view| oauth::identities(view, account).unwrap())
    }

    /// The newest event: its name and what it says.
    fn last_event(&self) -> (String, String) {
        self.test.read(|view| {
            view.one("select event, data_json from audit_event order by seq desc limit 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap()
        })
    }

    fn events(&self) -> i64 {
        self.test.number("select count(*) from audit_event")
    }

    /// More than the ten minutes of a way.
    fn later(&mut self, minutes_later: u64) {
        self.test.clock.advance(minutes(minutes_later));
        self.says(json!({}));
    }
}

/// For messages: what came out of a way.
fn told(result: &Result<Arrived, OauthError>) -> String {
    match result {
        Ok(Arrived::Entered(Started::Session { .. })) => "a session".into(),
        Ok(Arrived::Entered(Started::MustVerify(_))) => "a code".into(),
        Ok(Arrived::Entered(Started::MustProve(_))) => "a second factor".into(),
        Ok(Arrived::MustChoose) => "must choose a username".into(),
        Ok(Arrived::MustSignIn) => "must sign in".into(),
        Ok(Arrived::MustConfirm) => "must confirm".into(),
        Ok(Arrived::Connected) => "connected already".into(),
        Ok(Arrived::Proved(_)) => "proved".into(),
        Err(error) => format!("refused: {error}"),
    }
}
