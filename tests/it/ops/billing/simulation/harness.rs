//! What a simulation knows, how it runs and crashes a transaction, and how it compares.

use domicile::api_keys::{self, Budget, Period};
use domicile::base::{ApiKeyId, HoldId, TransactionId};
use domicile::billing::ledger::holds;
use domicile::billing::usage::authorizations::{self, PolicyChange};

use super::super::*;
use super::model::{Model, Taken};
use crate::support::KeyBuilder;

/// Micro-credits per unit: charges are never whole.
pub const PRICE: i64 = 333_337;
/// A small one would soon be spent for ever.
const BUDGET: i64 = 400_000_000;
/// Tables whose writes can be the last ones before a crash.
const WRITTEN: [&str; 14] = [
    "ledger_tx",
    "ledger_posting",
    "ledger_account",
    "ledger_balance",
    "credit_lot",
    "statement_line",
    "credit_hold",
    "credit_hold_lot",
    "usage_event",
    "usage_meter",
    "api_key_spend",
    "api_key_reservation",
    "usage_authorization",
    "audit_event",
];

/// A transaction that can be taken back.
pub struct Posted {
    pub id: TransactionId,
    pub wallet: usize,
    pub taken: Taken,
    /// It charges events: it is taken back by events.
    pub is_of_events: bool,
}

/// A purchase, and what of it was not returned.
pub struct Payment {
    pub id: TransactionId,
    pub wallet: usize,
    pub name: String,
    pub left: i64,
}

/// A counted event, and the quantity that was not taken back.
pub struct Counted {
    pub id: String,
    pub wallet: usize,
    pub left: i64,
    pub authorization: Option<usize>,
    pub has_key: bool,
    /// The place of its transaction. `None`: it cost nothing.
    pub posted: Option<usize>,
}

pub struct Authorized {
    pub id: HoldId,
    pub wallet: usize,
    pub has_key: bool,
    pub is_open: bool,
    /// What its usage cost, in millionths of a micro-credit.
    pub pico: i128,
}

/// A request that was answered, to be repeated.
pub type Repeat = Box<dyn Fn(&mut Site, &mut Model) -> bool>;

pub struct Simulation {
    pub site: Site,
    pub model: Model,
    pub rng: Rng,
    pub wallets: Vec<WorkspaceId>,
    pub key: ApiKeyId,
    pub service: Actor,
    pub meters: Vec<i128>,
    pub posted: Vec<Posted>,
    pub payments: Vec<Payment>,
    pub events: Vec<Counted>,
    pub authorized: Vec<Authorized>,
    pub repeats: Vec<Repeat>,
    pub step: usize,
    pub crashes: usize,
    pub counts: HistoryCounts,
}

/// How often it happened. A history without it would prove nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryCounts {
    /// Authorizations that were made, also those of a key.
    pub reserved: usize,
    pub reserved_by_key: usize,
    /// Authorizations that were refused.
    pub refused: usize,
    /// Charges to an open hold.
    pub captured: usize,
}

impl Simulation {
    pub fn new(seed: u64) -> Self {
        let mut site = site_where_paid_credit_expires();
        let mut settings = default_settings();
        settings.config.billing.paid_credit_expires = true;
        settings.config.billing.signup_credit = Credits::ZERO;
        settings.config.prices[0].price = micro(PRICE);
        site.settings = Arc::new(settings);
        let owner = site.person("ada-ada");
        let wallets = vec![owner.workspace, site.person("bob-bob").workspace, site.person("cy-cy").workspace];
        let mut new = KeyBuilder::named("ci").expires("never").build();
        new.limits.budget = Some(Budget { amount: micro(BUDGET), period: Period::Total });
        let admin = owner.credential_admin();
        let key =
            site.write(|tx| api_keys::create(tx, &admin, owner.account.id, owner.workspace, &new)).unwrap().key.id;
        let service = farm();
        let Actor::Service { service: id, .. } = &service else { unreachable!() };
        let id = *id;
        let policy = PolicyChange { hold_for: Some(hours(40)), ..PolicyChange::default() };
        site.write(|tx| authorizations::change_policy(tx, &Actor::Operator, id, policy)).unwrap();
        let mut crash = String::from("create temp table crash (writes integer); insert into crash values (-1);");
        for table in WRITTEN {
            for verb in ["insert", "update"] {
                crash += &format!(
                    "create temp trigger crash_{verb}_{table} before {verb} on main.{table} begin
                       update crash set writes = writes - 1 where writes >= 0;
                       select raise(abort, 'crash') from crash where writes = 0;
                     end;"
                );
            }
        }
        site.connection.execute_batch(&crash).unwrap();
        let model = Model { wallets: vec![Default::default(); wallets.len()], budget: BUDGET, ..Model::default() };
        Self {
            meters: vec![0; wallets.len()],
            rng: Rng::seeded(seed),
            site,
            model,
            wallets,
            key,
            service,
            posted: Vec::new(),
            payments: Vec::new(),
            events: Vec::new(),
            authorized: Vec::new(),
            repeats: Vec::new(),
            step: 0,
            crashes: 0,
            counts: HistoryCounts::default(),
        }
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.rng.below(u32::try_from(end).unwrap()) as usize
    }

    pub fn amount(&mut self) -> i64 {
        1 + self.below(6_000_000) as i64
    }

    pub fn name(&self, what: &str) -> String {
        format!("{what} {}", self.step)
    }

    /// Runs one transaction. Now and then it crashes first, before one of its writes: then nothing has changed.
    pub fn run<T, E: From<domicile::db::Error> + std::fmt::Debug>(
        &mut self,
        work: impl Fn(&mut domicile::db::Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.below(8) == 0 {
            let writes = 1 + self.below(24);
            self.site.connection.execute("update crash set writes = ?1", [writes as i64]).unwrap();
            let crashed = self.site.write(&work);
            self.site.connection.execute_batch("update crash set writes = -1").unwrap();
            match crashed {
                // It had fewer writes.
                Ok(done) => return Ok(done),
                Err(error) if format!("{error:?}").contains("crash") => {
                    self.crashes += 1;
                    self.compare();
                }
                Err(refused) => return Err(refused),
            }
        }
        self.site.write(&work)
    }

    pub fn compare(&mut self) {
        let lots = "
            select t.idem_key, -b.balance_micro, -b.high_micro
            from credit_lot l
            join ledger_balance b on b.account_id = l.account_id
            join ledger_tx t on t.seq = l.tx_seq
            where l.workspace_id = :workspace_id and l.exhausted = 0
            union all
            select 'debt', b.balance_micro, 0
            from ledger_account a join ledger_balance b on b.account_id = a.id
            where coalesce(a.workspace_id, '') = :workspace_id and a.code = 'overdraft' and coalesce(a.lot_id, '') = ''
              and b.balance_micro <> 0
            order by 1, 2, 3";
        for wallet in 0..self.wallets.len() {
            let workspace = self.wallets[wallet];
            let (lots, balance, available) = self.site.read(|tx| {
                let params = rusqlite::named_params! {":workspace_id": workspace};
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                let lots: Vec<(String, i64, i64)> = tx.list(lots, params, read).unwrap();
                let (balance, available) = (ledger::balance(tx, workspace), holds::available(tx, workspace));
                (lots, balance.unwrap().micro(), available.unwrap().micro())
            });
            assert_eq!(lots, self.model.wallet(wallet), "step {}, wallet {wallet}", self.step);
            let expected = (self.model.balance(wallet), self.model.available(wallet));
            assert_eq!((balance, available), expected, "step {}, wallet {wallet}", self.step);
        }
        let key = self.key.to_string();
        let sum = |sql: &str| self.site.connection.query_row(sql, [&key], |row| row.get::<_, i64>(0)).unwrap_or(0);
        let spent = sum("select spent_micro from api_key_spend where family_id = ?1 and period = 'total'");
        let reserved = sum("select reserved_micro from api_key_reservation where family_id = ?1");
        assert_eq!((spent, reserved), (self.model.spent, self.model.reserved), "step {}: the budget", self.step);
    }
}
