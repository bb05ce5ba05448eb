//! The ledger and usage: no error that would cost a person money.

use std::sync::Arc;

use domicile::accounts::{self, NewAccount, Username};
use domicile::base::{
    Actor, Clock, Credits, EmailAddress, PAGE_SIZE, Quantity, Rng, ServiceId, Timestamp, WorkspaceId, days, hours,
};
use domicile::billing::ledger::{
    self, Account, Category, Charge, Draft, Filter, Grant, Kind, LedgerError, LedgerSummary, Origin, PostedTransaction,
    Posting,
};
use domicile::billing::usage::{self, BatchResult, Fault, NewEvent, Rejection};
use domicile::billing::{self, BillingError};
use domicile::db::{Layout, Store};
use domicile::workspaces::{self, Workspace};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use crate::support::{START, TestSite as Site, UsageBuilder, default_settings};

mod allowances;
mod authorizations;
mod corrections;
mod histories;
mod holds;
mod incidents;
mod integrity;
mod notices;
mod returns;
mod simulation;
mod spending;
mod transactions;
mod usage_events;
mod vouchers;
mod wallets;

fn site() -> Site {
    Site::new()
}

impl Site {
    fn workspace(&mut self, name: &str) -> Workspace {
        let new = NewAccount {
            username: Username::parse(name).unwrap(),
            email: EmailAddress::parse(&format!("{name}@example.org")).unwrap(),
            is_verified: true,
            password: None,
            is_operator: false,
        };
        self.write(|tx| {
            let account = accounts::create(tx, &Actor::Operator, &new).unwrap();
            workspaces::create_personal(tx, &Actor::Operator, &account)
        })
        .unwrap()
    }

    fn grant(&mut self, grant: Grant) -> Result<PostedTransaction, LedgerError> {
        self.write(|tx| ledger::grant(tx, &Actor::Operator, grant))
    }

    fn charge(&mut self, charge: Charge) -> Result<PostedTransaction, LedgerError> {
        self.write(|tx| ledger::charge(tx, &Actor::System, charge))
    }

    fn spend(&mut self, charge: Charge) -> Result<PostedTransaction, LedgerError> {
        self.write(|tx| ledger::spend(tx, &Actor::System, charge))
    }

    fn report(&mut self, events: &[Result<NewEvent, Fault>]) -> BatchResult {
        let farm = farm();
        self.write(|tx| usage::record_batch(tx, &farm, events)).unwrap()
    }

    fn balance(&mut self, workspace: WorkspaceId) -> Credits {
        self.read(|tx| ledger::balance(tx, workspace).unwrap())
    }

    fn check(&mut self) -> Result<LedgerSummary, LedgerError> {
        self.write(|tx| ledger::check(tx))
    }

    /// The remaining micro-credits of each lot by its idempotency key, and the debt as `debt`.
    fn wallet(&mut self, workspace: WorkspaceId) -> Vec<(String, i64)> {
        let sql = "
            select coalesce(t.idem_key, 'debt'), abs(b.balance_micro)
            from ledger_account a
            join ledger_balance b on b.account_id = a.id
            left join credit_lot l on l.account_id = a.id
            left join ledger_tx t on t.seq = l.tx_seq
            where a.workspace_id = :workspace_id and b.balance_micro <> 0
            order by 1";
        let params = rusqlite::named_params! {":workspace_id": workspace};
        self.read(|tx| tx.list(sql, params, |row| Ok((row.get(0)?, row.get(1)?))).unwrap())
    }

    /// The balance of each account of the site itself that is not zero, in micro-credits, by its code. Debits are positive.
    fn site_accounts(&mut self) -> Vec<(String, i64)> {
        let sql = "
            select a.code, b.balance_micro
            from ledger_account a join ledger_balance b on b.account_id = a.id
            where a.workspace_id is null and b.balance_micro <> 0
            order by a.code";
        self.read(|tx| tx.list(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap())
    }
}

fn site_where_paid_credit_expires() -> Site {
    let (mut site, mut settings) = (site(), default_settings());
    settings.config.billing.paid_credit_expires = true;
    site.settings = Arc::new(settings);
    site
}

fn farm() -> Actor {
    let service = ServiceId::new(Timestamp::from_millis(1), &mut Rng::seeded(3));
    Actor::Service { service, name: "farm".into(), request: String::new() }
}

fn some_workspace() -> WorkspaceId {
    WorkspaceId::new(Timestamp::from_millis(1), &mut Rng::seeded(5))
}

fn micro(micro: i64) -> Credits {
    Credits::from_micro(micro).unwrap()
}

fn gift(workspace: WorkspaceId, amount: Credits, key: &str) -> Grant {
    Grant::new(workspace, amount, Origin::Adjustment, "A gift", key)
}

fn charge_of(workspace: WorkspaceId, amount: Credits, key: &str) -> Charge {
    Charge::new(workspace, amount, "gpu.h100", key)
}

fn event(workspace: WorkspaceId, id: &str, quantity: &str) -> NewEvent {
    UsageBuilder::new(workspace, id, Timestamp::parse(START).unwrap()).quantity(quantity).build()
}

/// Runs `property` with `cases` random values of `strategy`, and with eight times as many in a deep run. Prints the seed; the environment variable `SEED` repeats a run.
fn for_all<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value)) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(Rng::system().below(u32::MAX)));
    eprintln!("SEED={seed}");
    let config = ProptestConfig {
        cases: crate::support::rounds(cases as usize, 8 * cases as usize).try_into().unwrap(),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let ran = TestRunner::new(config).run(&strategy, |value| {
        property(value);
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("SEED={seed}: {failure}");
    }
}

#[test]
fn every_new_account_gets_the_welcome_credit_once() {
    let mut site = site();
    let workspace = site.workspace("orchard");

    let given = site.write(|tx| billing::signup_credit(tx, &workspace)).unwrap().unwrap();
    let mut generous = default_settings();
    generous.config.billing.signup_credit = Credits::whole(50);
    site.settings = Arc::new(generous);
    let again = site.write(|tx| billing::signup_credit(tx, &workspace)).unwrap();

    assert_eq!((given.balance_after, again, site.balance(workspace.id)), (Credits::whole(5), None, Credits::whole(5)));
    let page = site.read(|tx| ledger::statement(tx, workspace.id, &Filter { limit: 9, ..Filter::default() }).unwrap());
    assert_eq!(page.rows.iter().map(|line| line.kind).collect::<Vec<_>>(), [Kind::Signup]);

    let mut stingy = default_settings();
    stingy.config.billing.signup_credit = Credits::ZERO;
    site.settings = Arc::new(stingy);
    let poor = site.workspace("meadow");
    assert_eq!(site.write(|tx| billing::signup_credit(tx, &poor)).unwrap(), None);
    assert_eq!(site.balance(poor.id), Credits::ZERO);
}

#[test]
fn an_operator_grants_credit_with_a_reason_that_can_be_erased() {
    let mut site = site();
    let workspace = site.workspace("orchard");
    let mut give = |actor: &Actor, amount: Credits, reason: &str| {
        site.write(|tx| billing::grant_by_operator(tx, actor, workspace.id, amount, reason))
    };

    assert!(matches!(give(&farm(), Credits::whole(1), "mine"), Err(BillingError::NotAllowed)));
    assert!(matches!(give(&Actor::Operator, Credits::whole(1), "  "), Err(BillingError::BadReason { chars: 0 })));
    assert!(matches!(
        give(&Actor::Operator, Credits::whole(1), &"x".repeat(201)),
        Err(BillingError::BadReason { chars: 201 })
    ));
    assert!(matches!(
        give(&Actor::Operator, Credits::ZERO, "nothing"),
        Err(BillingError::Ledger(LedgerError::NotPositive))
    ));
    let posted = give(&Actor::Operator, Credits::whole(25), "Sorry about Tuesday, Ada").unwrap();
    assert_eq!(posted.balance_after, Credits::whole(25));
    let events = "select count(*) from audit_event where event = 'billing.credit_granted'";
    assert_eq!(site.connection.query_row(events, [], |row| row.get::<_, i64>(0)).unwrap(), 1);

    let details = |site: &mut Site| {
        let filter = Filter { limit: 9, ..Filter::default() };
        site.read(|tx| ledger::statement(tx, workspace.id, &filter).unwrap()).rows[0].details.clone()
    };
    assert_eq!(details(&mut site), "Sorry about Tuesday, Ada");
    site.write(|tx| billing::forget(tx, workspace.id)).unwrap();
    assert_eq!((details(&mut site).as_str(), site.balance(workspace.id)), ("", Credits::whole(25)));
    site.check().unwrap();
}
