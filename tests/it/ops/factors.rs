//! Second factors, through the faces of their slice and of the door.

use domicile::accounts;
use domicile::base::{Actor, Problem, Secret, SessionId, Timestamp, hours, minutes, seconds};
use domicile::config::FactorsRequired;
use domicile::factors::{self, Enrolled, FactorError};
use domicile::sessions::{self, NewSession};
use domicile::signin::{Presented, SigninError, Started, StepUp, flows};

use crate::support::{PASSWORD, Person, TestApp, TestSite, oath_code, visitor};

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
    /// What the app shows now.
    fn code(&self, site: &TestApp) -> String {
        oath_code(&self.secret, site.clock.now().unix_seconds())
    }
}

impl TestApp {
    /// Sets up an app and confirms it. The clock goes on by a minute, so that the next code is another one.
    fn enrol(&self, person: &Person) -> Enrolment {
        let (actor, account) = (person.by_browser(), person.account.id);
        let own = actor.clone();
        self.write(move |tx| factors::set_up(tx, &own, account)).unwrap();
        let set_up = self.read(|view| factors::set_up_under_way(view, account).unwrap().unwrap());
        let mut enrolment = Enrolment { secret: set_up.seed.base32().expose().clone(), codes: Vec::new() };
        let code = enrolment.code(self);
        let codes = self.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        let shown = codes.into_iter().flat_map(|codes| codes.0);
        enrolment.codes = shown.map(|code| code.shown().expose().clone()).collect();
        self.clock.advance(minutes(1));
        enrolment
    }

    fn enrolled(&self, person: &Person) -> Enrolled {
        self.read(|view| factors::enrolled(view, person.account.id).unwrap())
    }

    /// The first step with the right password, of somebody who owes a second one.
    fn half_of(&self, name: &str) -> Secret<String> {
        match self.sign_in(name, PASSWORD).unwrap() {
            Started::MustProve(token) => token,
            _ => panic!("{name} was not asked for a second factor"),
        }
    }

    fn second_step(&self, half: &Secret<String>, typed: &str) -> Result<Secret<String>, SigninError> {
        let presented = Presented::Typed(Secret::new(typed.to_owned()));
        self.second_step_with(half, presented)
    }

    fn second_step_with(&self, half: &Secret<String>, presented: Presented) -> Result<Secret<String>, SigninError> {
        let started = self.block_on(flows::prove_half(&self.app, visitor(), half.expose().clone(), presented))?;
        match started {
            Started::Session { token, .. } => Ok(token),
            _ => panic!("neither in nor refused"),
        }
    }

    /// A session without the door: where what it proves is not the point.
    fn bare_session_of(&self, person: &Person) -> SessionId {
        let new = NewSession { account: person.account.id, visitor: visitor(), remember: false, method: "test".into() };
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

    /// What there is of second factors, sessions and mails: a refusal changes none of it.
    fn belongings(&self) -> Vec<(&'static str, i64)> {
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

    fn events_named(&self, name: &str) -> i64 {
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
