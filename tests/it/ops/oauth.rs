//! Sign-in with another provider: through the flows, with a real provider process whose answers the test sets.

mod authorization;
mod bent;
mod forged_tokens;
mod identities;
mod shapes;
mod signatures;
mod with_factors;

use domicile::accounts::{self, Account, AccountState};
use domicile::base::{AccountId, Actor, Secret, SessionId, minutes};
use domicile::config::{Provider, ProviderKind};
use domicile::sessions;
use domicile::signin::oauth::{
    self, AuthorizationResponse, CallbackOutcome, ExternalSignUp, LinkedIdentity, OauthError, Purpose, flows,
};
use domicile::signin::{self, SignInOutcome};
use serde_json::{Value, json};

use crate::support::{HelperProcess, Person, TestApp, tables, visitor};

/// The value of a state cookie: 43 characters.
const BROWSER: &str = "ada-at-home-0000000000000000000000000000000";
const OTHER_BROWSER: &str = "a-thief-elsewhere-0000000000000000000000000";
const CLIENT: &str = "domicile";

/// An appliance and a provider, `corp`, whose answers the test sets.
struct ProviderTest {
    test: TestApp,
    process: HelperProcess,
    issuer: String,
}

/// A browser: its state cookie and its session.
#[derive(Clone, Copy)]
struct TestBrowser<'a> {
    browser: Option<&'a str>,
    session: Option<(AccountId, SessionId)>,
}

const ANONYMOUS: TestBrowser<'static> = TestBrowser { browser: Some(BROWSER), session: None };

/// A provider at `issuer`, as the settings would define it.
fn provider(name: &str, issuer: &str) -> Provider {
    Provider {
        name: name.into(),
        label: "Example Corp".into(),
        kind: ProviderKind::Oidc,
        client_id: CLIENT.into(),
        client_secret: Secret::new("scripted-secret".into()),
        issuer: issuer.into(),
        authorize_url: None,
        token_url: None,
        api_url: None,
        jwks_url: Some(format!("{issuer}/keys")),
        scopes: Vec::new(),
        allowed_domains: Vec::new(),
        trusted_domains: Vec::new(),
        trust_emails: false,
        trusted_audiences: Vec::new(),
        client_auth: None,
    }
}

/// GitHub, played by the scripted provider.
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

/// What must not change when a response is refused: the rows of every table except the audit log and the used request.
fn rows(test: &TestApp) -> Vec<(String, i64)> {
    test.read(|view| {
        let kept = |table: &String| !table.starts_with("audit") && table != "oauth_flow" && table != "subject_key";
        let count = |table: &str| view.one(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap();
        tables(view).into_iter().filter(kept).map(|table| (table.clone(), count(&table))).collect()
    })
}

impl ProviderTest {
    fn new() -> Self {
        Self::with(|issuer| vec![provider("corp", issuer)])
    }

    fn with(providers: impl FnOnce(&str) -> Vec<Provider>) -> Self {
        let (process, ready) = HelperProcess::provider("scripted.mjs", &json!({}));
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        let test = TestApp::with(|config| config.oauth = providers(&issuer));
        let mut world = Self { test, process, issuer };
        world.answers(json!({}));
        world
    }

    /// Sets what the provider answers from now on, at the current time of the test.
    fn answers(&mut self, answers: Value) {
        self.process.request(&json!({"now": self.now(), "answers": answers}));
    }

    /// The provider answers with this person.
    fn answers_as(&mut self, subject: &str, email: &str) {
        self.answers(json!({"claims": {"sub": subject, "email": email, "email_verified": true}}));
    }

    fn now(&self) -> i64 {
        self.test.clock.now().unix_seconds()
    }

    /// How many requests a path of the provider got.
    fn requests_to(&mut self, path: &str) -> usize {
        self.bodies(path).len()
    }

    fn bodies(&mut self, path: &str) -> Vec<Value> {
        self.process.request(&json!({"seen": true}))[path].as_array().cloned().unwrap_or_default()
    }

    /// Starts a request: the URL that the browser is sent to.
    fn start(&self, name: &str, purpose: Purpose, who: TestBrowser<'_>) -> Result<String, OauthError> {
        let account = who.session.map(|(account, _)| account);
        let browser = who.browser.unwrap_or(BROWSER);
        self.test.block_on(flows::start(&self.test.app, name, purpose, account, "/settings/keys", browser))
    }

    /// Follows the URL to the provider: the response in the redirect back.
    fn follow(&self, url: &str) -> AuthorizationResponse {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let back = agent.get(url).call().unwrap();
        let location = back.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let location = reqwest::Url::parse(&location.expect("the provider redirects back")).unwrap();
        let part =
            |wanted: &str| location.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        AuthorizationResponse {
            state: part("state").unwrap_or_default(),
            code: part("code").unwrap_or_default(),
            error: part("error").unwrap_or_default(),
            issuer: part("iss"),
            user: String::new(),
        }
    }

    fn finish(
        &self,
        name: &str,
        response: AuthorizationResponse,
        who: TestBrowser<'_>,
    ) -> Result<CallbackOutcome, OauthError> {
        let actor = match who.session {
            Some((account, session)) => self.by(account, session),
            None => Actor::Anonymous(visitor()),
        };
        let browser = who.browser.map(str::to_owned);
        let finished = flows::finish(&self.test.app, actor, name, response, browser, who.session);
        self.test.block_on(finished).map(|(arrived, _)| arrived)
    }

    /// The whole trip to the provider and back.
    fn round_trip(&self, name: &str, purpose: Purpose, who: TestBrowser<'_>) -> Result<CallbackOutcome, OauthError> {
        let url = self.start(name, purpose, who)?;
        self.finish(name, self.follow(&url), who)
    }

    fn sign_in(&self) -> Result<CallbackOutcome, OauthError> {
        self.round_trip("corp", Purpose::SignIn, ANONYMOUS)
    }

    /// Signs up the identity that waits, with a username, and with an address if the provider has no authoritative one.
    fn choose_username(&self, username: &str, email: &str) -> Result<SignInOutcome, OauthError> {
        let typed = ExternalSignUp { username: username.into(), email: email.into() };
        let actor = Actor::Anonymous(visitor());
        self.test.write(move |tx| oauth::sign_up(tx, &actor, BROWSER, &typed)).map(|(started, _)| started)
    }

    /// An account without a password that was created by the provider, with a verified address.
    fn signed_up(&mut self, subject: &str, email: &str, username: &str) -> AccountId {
        // Later than any code that was sent to the same address before.
        self.test.clock.advance(minutes(1));
        self.answers_as(subject, email);
        assert!(matches!(self.sign_in(), Ok(CallbackOutcome::UsernameRequired)), "{username} has no account");
        match self.choose_username(username, email).unwrap() {
            SignInOutcome::Session { token, .. } => self.session_of(&token).0,
            SignInOutcome::VerificationPending(account) => {
                let code = self.test.message(email, "code").code();
                let actor = Actor::Anonymous(visitor());
                self.test.write_deciding(move |tx| signin::verify(tx, &actor, account, &code)).unwrap();
                account
            }
            SignInOutcome::MfaPending(_) => panic!("{username} has no second factor"),
        }
    }

    /// Connects the identity that waits in the browser.
    fn connect(&self, who: TestBrowser<'_>) -> Result<(), OauthError> {
        let ((account, session), browser) = (who.session.unwrap(), who.browser.unwrap().to_owned());
        let actor = self.by(account, session);
        self.test.write(move |tx| oauth::connect(tx, &actor, account, session, &browser)).map(|_| ())
    }

    fn disconnect(&self, who: &TestBrowser<'_>, identity: &LinkedIdentity) -> Result<(), OauthError> {
        let ((account, session), id) = (who.session.unwrap(), identity.id);
        let actor = self.by(account, session);
        self.test.write_deciding(move |tx| oauth::disconnect(tx, &actor, account, session, id))
    }

    fn by(&self, account: AccountId, session: SessionId) -> Actor {
        let workspace = self.test.read(|view| domicile::workspaces::personal(view, account).unwrap().unwrap().id);
        Actor::SignedIn { account, workspace, session, visitor: visitor() }
    }

    /// Account and session of a session cookie.
    fn session_of(&self, token: &Secret<String>) -> (AccountId, SessionId) {
        let current = self.test.read(|view| sessions::current(view, token.expose()).unwrap());
        current.map(|current| (current.account, current.id)).expect("a live session")
    }

    /// A browser with a session that began with a password.
    fn signed_in_by_password(&self, person: &Person) -> TestBrowser<'static> {
        let session = self.session_of(&self.test.session(&person.account.username));
        TestBrowser { browser: Some(BROWSER), session: Some(session) }
    }

    /// A browser with a session that began at the provider.
    fn signed_in(&self) -> TestBrowser<'static> {
        match self.sign_in() {
            Ok(CallbackOutcome::SignedIn(SignInOutcome::Session { token, .. })) => {
                TestBrowser { browser: Some(BROWSER), session: Some(self.session_of(&token)) }
            }
            other => panic!("the sign-in failed: {}", describe(&other)),
        }
    }

    fn account(&self, username: &str) -> Option<Account> {
        self.test.read(|view| accounts::find_by_name(view, username).unwrap())
    }

    fn state(&self, account: AccountId) -> AccountState {
        self.test.read(|view| accounts::find(view, account).unwrap().expect("the account").state)
    }

    fn identities(&self, account: AccountId) -> Vec<LinkedIdentity> {
        self.test.read(|view| oauth::identities(view, account).unwrap())
    }

    /// Which of the person's identities can be disconnected, and which providers can be connected.
    fn offers(&self, account: AccountId) -> (Vec<bool>, Vec<String>) {
        let offered = self.test.read(|view| oauth::connections(view, account).unwrap());
        (offered.connected.iter().map(|one| one.can_be_disconnected).collect(), offered.connectable)
    }

    /// The newest audit event: its name and its data.
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

    /// Moves the clocks of the test and of the provider.
    fn later(&mut self, minutes_later: u64) {
        self.test.clock.advance(minutes(minutes_later));
        self.answers(json!({}));
    }
}

/// The outcome in words, for assertion messages.
fn describe(result: &Result<CallbackOutcome, OauthError>) -> String {
    match result {
        Ok(CallbackOutcome::SignedIn(SignInOutcome::Session { .. })) => "a session".into(),
        Ok(CallbackOutcome::SignedIn(SignInOutcome::VerificationPending(_))) => "a code".into(),
        Ok(CallbackOutcome::SignedIn(SignInOutcome::MfaPending(_))) => "a second factor".into(),
        Ok(CallbackOutcome::UsernameRequired) => "must choose a username".into(),
        Ok(CallbackOutcome::SignInRequired) => "must sign in".into(),
        Ok(CallbackOutcome::ConfirmationRequired) => "must confirm".into(),
        Ok(CallbackOutcome::AlreadyConnected) => "connected already".into(),
        Ok(CallbackOutcome::SteppedUp(_)) => "proved".into(),
        Err(error) => format!("refused: {error}"),
    }
}
