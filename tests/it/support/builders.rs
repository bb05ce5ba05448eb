//! Builders of what operations take, with defaults: a new field of an input changes one place. The benchmarks use them
//! too, so they depend on the program only.

use domicile::accounts::Username;
use domicile::api_keys::{Expiry, KeyChange, KeyName, KeyNote, Limits, NewApiKey};
use domicile::base::{
    AccountId, Actor, ApiKeyId, EmailAddress, HoldId, Quantity, Secret, Timestamp, Visitor, WorkspaceId,
};
use domicile::billing::usage::{EventName, NewEvent};
use domicile::db::Tx;
use domicile::services::{self, Grant, Service, ServiceError, ServiceName};
use domicile::sessions::NewSession;
use domicile::signin::{NewPerson, SignIn};

/// A key with the scope `models:read`, valid for 90 days and without limits.
pub struct KeyBuilder(NewApiKey);

impl KeyBuilder {
    pub fn named(name: &str) -> Self {
        Self(NewApiKey {
            name: KeyName::parse(name).unwrap(),
            note: KeyNote::default(),
            scopes: vec!["models:read".into()],
            expiry: Expiry::parse("90d").unwrap(),
            limits: Limits::default(),
        })
    }

    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.0.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    pub fn note(mut self, note: &str) -> Self {
        self.0.note = KeyNote::parse(note).unwrap();
        self
    }

    /// As typed: `90d`, `never`.
    pub fn expires(mut self, expiry: &str) -> Self {
        self.0.expiry = Expiry::parse(expiry).unwrap();
        self
    }

    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    pub fn build(self) -> NewApiKey {
        self.0
    }

    /// The change that gives an existing key this name, note and limits.
    pub fn change(self) -> KeyChange {
        let NewApiKey { name, note, limits, .. } = self.0;
        KeyChange { name, note, limits }
    }
}

/// A person with the verified address `<username>@example.org`, who is no operator. Without [`PersonBuilder::password`],
/// the stored hash matches no password.
pub struct PersonBuilder(NewPerson);

impl PersonBuilder {
    pub fn named(username: &str) -> Self {
        Self(NewPerson {
            email: EmailAddress::parse(&format!("{username}@example.org")).unwrap(),
            username: Username::parse(username).unwrap(),
            password: Some("$argon2id$not-a-real-one".into()),
            is_verified: true,
            is_operator: false,
        })
    }

    /// The hash of the password.
    pub fn password(mut self, phc: String) -> Self {
        self.0.password = Some(phc);
        self
    }

    pub fn verified(mut self, is_verified: bool) -> Self {
        self.0.is_verified = is_verified;
        self
    }

    pub fn operator(mut self) -> Self {
        self.0.is_operator = true;
        self
    }

    pub fn build(self) -> NewPerson {
        self.0
    }
}

/// One second of a `gpu.h100`, without a key.
pub struct UsageBuilder(NewEvent);

impl UsageBuilder {
    pub fn new(workspace: WorkspaceId, id: &str, occurred_at: Timestamp) -> Self {
        Self(NewEvent {
            source: EventName::parse("https://gpu.example/farm-1").unwrap(),
            id: EventName::parse(id).unwrap(),
            workspace,
            sku: "gpu.h100".into(),
            quantity: Quantity::parse("1").unwrap(),
            occurred_at,
            key: None,
            authorization: None,
            corrects: None,
        })
    }

    pub fn quantity(mut self, quantity: &str) -> Self {
        self.0.quantity = Quantity::parse(quantity).unwrap();
        self
    }

    pub fn key(mut self, key: Option<ApiKeyId>) -> Self {
        self.0.key = key;
        self
    }

    pub fn authorization(mut self, authorization: HoldId) -> Self {
        self.0.authorization = Some(authorization);
        self
    }

    /// Takes the quantity back from an earlier event.
    pub fn corrects(mut self, id: &str) -> Self {
        self.0.corrects = EventName::parse(id);
        self
    }

    pub fn build(self) -> NewEvent {
        self.0
    }
}

/// What a person types to sign in, in a browser that forgets them when it is closed.
pub struct SignInBuilder(SignIn);

impl SignInBuilder {
    pub fn new(name: &str, password: &str) -> Self {
        Self(SignIn { name: name.to_owned(), password: Secret::new(password.to_owned()), remember: false })
    }

    pub fn remember(mut self, remember: bool) -> Self {
        self.0.remember = remember;
        self
    }

    pub fn build(self) -> SignIn {
        self.0
    }
}

/// A session after a password, in a browser that forgets it when it is closed.
pub struct SessionBuilder(NewSession);

impl SessionBuilder {
    pub fn new(account: AccountId, visitor: Visitor) -> Self {
        Self(NewSession { account, visitor, remember: false, method: "password".into() })
    }

    pub fn remember(mut self, remember: bool) -> Self {
        self.0.remember = remember;
        self
    }

    pub fn build(self) -> NewSession {
        self.0
    }
}

/// Creates a service, as the operator does. Answers its credential too.
pub fn create_service(tx: &mut Tx<'_>, name: &str) -> Result<(Service, Secret<String>), ServiceError> {
    services::create(tx, &Actor::Operator, &ServiceName::parse(name).unwrap(), Grant::default())
}
