//! Second factors, through the public interfaces of `factors` and `signin`.

use domicile::accounts;
use domicile::base::{Actor, Problem, Secret, SessionId, Timestamp, hours, minutes, seconds};
use domicile::config::FactorsRequired;
use domicile::factors::{self, EnrolledFactors, FactorError};
use domicile::sessions;
use domicile::signin::{FactorInput, SignInOutcome, SigninError, StepUp, flows};

use crate::support::{PASSWORD, Person, PersonBuilder, SessionBuilder, TestApp, TestSite, oath_code, visitor};

mod clock;
mod passkeys;
mod resets;
mod steps;
mod totp;

/// An authenticator app with its secret, and the recovery codes that came with it.
struct Enrolment {
    secret: String,
    codes: Vec<String>,
}

impl Enrolment {
    /// The code that the app shows now.
    fn code(&self, site: &TestApp) -> String {
        oath_code(&self.secret, site.clock.now().unix_seconds())
    }
}

impl TestApp {
    /// Sets up an app and confirms it. The clock advances by a minute, so that the next code is a different one.
    fn enrol(&self, person: &Person) -> Enrolment {
        let (actor, account) = (person.by_browser(), person.account.id);
        let own = actor.clone();
        self.write(move |tx| factors::start_totp_setup(tx, &own, account)).unwrap();
        let set_up = self.read(|view| factors::totp_setup(view, account).unwrap().unwrap());
        let mut enrolment = Enrolment { secret: set_up.seed.base32().expose().clone(), codes: Vec::new() };
        let code = enrolment.code(self);
        let codes = self.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        let codes = codes.into_iter().flat_map(|codes| codes.0);
        enrolment.codes = codes.map(|code| code.grouped().expose().clone()).collect();
        self.clock.advance(minutes(1));
        enrolment
    }

    fn enrolled(&self, person: &Person) -> EnrolledFactors {
        self.read(|view| factors::enrolled(view, person.account.id).unwrap())
    }

    /// The cookie value after the first step with the right password.
    fn pending_sign_in(&self, name: &str) -> Secret<String> {
        match self.sign_in(name, PASSWORD).unwrap() {
            SignInOutcome::MfaPending(token) => token,
            _ => panic!("{name} needs no second factor"),
        }
    }

    fn second_step(&self, pending: &Secret<String>, typed: &str) -> Result<Secret<String>, SigninError> {
        let presented = FactorInput::Typed(Secret::new(typed.to_owned()));
        self.second_step_with(pending, presented)
    }

    fn second_step_with(
        &self,
        pending: &Secret<String>,
        presented: FactorInput,
    ) -> Result<Secret<String>, SigninError> {
        let started = self.block_on(flows::prove_factor(&self.app, visitor(), pending.expose().clone(), presented))?;
        match started {
            SignInOutcome::Session { token, .. } => Ok(token),
            _ => panic!("neither a session nor a refusal"),
        }
    }

    /// A session without a sign-in, for tests in which the proof does not matter.
    fn bare_session_of(&self, person: &Person) -> SessionId {
        let new = SessionBuilder::new(person.account.id, visitor()).build();
        self.write(move |tx| sessions::start(tx, &Actor::Anonymous(visitor()), &new)).unwrap().0
    }

    fn prove_again(&self, person: &Person, given: StepUp) -> Result<Secret<String>, SigninError> {
        let session = self.bare_session_of(person);
        let (account, workspace) = (person.account.id, person.workspace);
        let actor = Actor::SignedIn { account, workspace, session, visitor: visitor() };
        self.block_on(flows::step_up(&self.app, actor, account, session, given)).map(|renewed| renewed.token)
    }

    fn method_of(&self, token: &Secret<String>) -> String {
        self.read(|view| {
            let current = sessions::current(view, token.expose()).unwrap().unwrap();
            let mut listed = sessions::list(view, current.account).unwrap();
            listed.retain(|session| session.id == current.id);
            listed.remove(0).method
        })
    }

    /// The counts of second factors, sessions and mails, which a refusal does not change.
    fn row_counts(&self) -> Vec<(&'static str, i64)> {
        const TABLES: [&str; 7] = [
            "totp",
            "recovery_code where used_at is null",
            "passkey",
            "factor_reset",
            "session",
            "mail_outbox",
            "account",
        ];
        self.read(|view| {
            let count = |table| view.one(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap();
            TABLES.into_iter().map(|table| (table, count(table))).collect()
        })
    }

    pub(super) fn events_named(&self, name: &str) -> i64 {
        let name = name.to_owned();
        self.read(move |view| {
            view.one(
                "select count(*) from audit_event where event = :name",
                rusqlite::named_params! {":name": name},
                |row| row.get(0),
            )
            .unwrap()
        })
    }
}

fn code_refused(refusal: Result<Secret<String>, SigninError>) -> bool {
    matches!(refusal, Err(SigninError::Factor(FactorError::CodeRefused)))
}

fn waits(refusal: Result<Secret<String>, SigninError>) -> bool {
    matches!(refusal, Err(SigninError::Factor(FactorError::Throttled(_))))
}
