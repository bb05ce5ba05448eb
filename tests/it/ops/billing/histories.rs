//! Random histories, compared with a simple model of the ledger.

use std::collections::HashMap;

use super::*;

/// An operation on one of three wallets.
#[derive(Clone, Debug)]
enum Operation {
    Grant { wallet: usize, amount: i64, priority: u8, is_paid: bool, expires_in: Option<u64>, key: u8 },
    Charge { wallet: usize, amount: i64, key: u8 },
    Spend { wallet: usize, amount: i64, key: u8 },
    Wait(u64),
    Expire,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let amount = 1i64..3_000_000;
    let grant = (0..3usize, amount.clone(), 49..52u8, any::<bool>(), prop::option::of(1..20u64), any::<u8>()).prop_map(
        |(wallet, amount, priority, is_paid, expires_in, key)| Operation::Grant {
            wallet,
            amount,
            priority,
            is_paid,
            expires_in,
            key,
        },
    );
    let charge = (0..3usize, amount.clone(), any::<u8>()).prop_map(|(wallet, amount, key)| Operation::Charge {
        wallet,
        amount,
        key,
    });
    let spend =
        (0..3usize, amount, any::<u8>()).prop_map(|(wallet, amount, key)| Operation::Spend { wallet, amount, key });
    let one = prop_oneof![4 => grant, 4 => charge, 2 => spend, 1 => (1..8u64).prop_map(Operation::Wait), 1 => Just(Operation::Expire)];
    prop::collection::vec(one, 1..60)
}

/// A simple model of the ledger.
#[derive(Default)]
struct Model {
    today: u64,
    lots: [Vec<ModelLot>; 3],
    debts: [i64; 3],
    charged: [i64; 3],
    keys: HashMap<u8, String>,
    granted: usize,
}

struct ModelLot {
    key: u8,
    /// Priority, last day, whether paid, order of creation. Lots burn in ascending order of this tuple.
    rank: (u8, u64, bool, usize),
    left: i64,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    Repeated,
    Conflict,
    Insufficient,
}

impl Model {
    fn balance(&self, wallet: usize) -> i64 {
        self.lots[wallet].iter().map(|lot| lot.left).sum::<i64>() - self.debts[wallet]
    }

    /// The remaining credit of each lot and the debt, in the form of [`Site::wallet`].
    fn wallet(&self, wallet: usize) -> Vec<(String, i64)> {
        let lots = self.lots[wallet].iter().map(|lot| (format!("key {}", lot.key), lot.left));
        let mut all: Vec<_> = lots.chain([("debt".to_owned(), self.debts[wallet])]).collect();
        all.retain(|(_, left)| *left != 0);
        all.sort();
        all
    }

    fn expire(&mut self, wallet: usize) {
        self.lots[wallet].retain(|lot| lot.rank.1 > self.today);
    }

    fn repeated(&self, key: u8, content: &str) -> Option<Outcome> {
        self.keys.get(&key).map(|kept| if kept == content { Outcome::Repeated } else { Outcome::Conflict })
    }

    fn grant(&mut self, wallet: usize, amount: i64, rank: (u8, u64, bool), key: u8) -> Outcome {
        let repaid = amount.min(self.debts[wallet]);
        self.debts[wallet] -= repaid;
        self.granted += 1;
        let rank = (rank.0, rank.1, rank.2, self.granted);
        self.lots[wallet].push(ModelLot { key, rank, left: amount - repaid });
        Outcome::Done
    }

    fn charge(&mut self, wallet: usize, amount: i64, may_owe: bool) -> Outcome {
        self.expire(wallet);
        if !may_owe && self.balance(wallet) < amount {
            return Outcome::Insufficient;
        }
        let mut missing = amount;
        self.lots[wallet].sort_by_key(|lot| lot.rank);
        for lot in &mut self.lots[wallet] {
            let part = lot.left.min(missing);
            lot.left -= part;
            missing -= part;
        }
        self.debts[wallet] += missing;
        self.charged[wallet] += amount;
        Outcome::Done
    }
}

fn run_both(
    site: &mut Site,
    model: &mut Model,
    wallets: &[WorkspaceId; 3],
    operation: &Operation,
) -> (Outcome, Outcome) {
    let before = site.count("ledger_tx");
    let outcome_of = |site: &mut Site, result: Result<PostedTransaction, LedgerError>| match result {
        Ok(posted) if posted.seq > before && site.count("ledger_tx") == posted.seq => Outcome::Done,
        Ok(_) => Outcome::Repeated,
        Err(LedgerError::Conflict) => Outcome::Conflict,
        Err(LedgerError::InsufficientCredit { .. }) => Outcome::Insufficient,
        Err(other) => panic!("{other}"),
    };
    match operation {
        Operation::Wait(n) => {
            site.clock.advance(days(*n));
            model.today += n;
            (Outcome::Done, Outcome::Done)
        }
        Operation::Expire => {
            site.write(ledger::expire_due).unwrap();
            (0..3).for_each(|wallet| model.expire(wallet));
            (Outcome::Done, Outcome::Done)
        }
        Operation::Grant { wallet, amount, priority, is_paid, expires_in, key } => {
            let last_day = expires_in.map_or(u64::MAX, |n| model.today + n);
            let content = format!("grant {wallet} {amount} {priority} {is_paid} {last_day}");
            let expected = model.repeated(*key, &content).unwrap_or_else(|| {
                model.keys.insert(*key, content);
                model.grant(*wallet, *amount, (*priority, last_day, *is_paid), *key)
            });
            let grant = Grant {
                priority: *priority,
                category: if *is_paid { Category::Paid } else { Category::Promotional },
                expires_at: expires_in.map(|n| site.clock.now().plus(days(n))),
                ..gift(wallets[*wallet], micro(*amount), &format!("key {key}"))
            };
            let result = site.grant(grant);
            (outcome_of(site, result), expected)
        }
        Operation::Charge { wallet, amount, key } | Operation::Spend { wallet, amount, key } => {
            let may_owe = matches!(operation, Operation::Charge { .. });
            let content = format!("charge {wallet} {amount}");
            let expected = model.repeated(*key, &content).unwrap_or_else(|| model.charge(*wallet, *amount, may_owe));
            if expected == Outcome::Done {
                model.keys.insert(*key, content);
            }
            let charge = charge_of(wallets[*wallet], micro(*amount), &format!("key {key}"));
            let result = if may_owe { site.charge(charge) } else { site.spend(charge) };
            (outcome_of(site, result), expected)
        }
    }
}

#[test]
fn any_history_ends_as_the_simple_model_says() {
    for_all(64, operations(), |operations| {
        let mut site = site_where_paid_credit_expires();
        let mut rng = Rng::seeded(21);
        let wallets = [1, 2, 3].map(|n| WorkspaceId::new(Timestamp::from_millis(n), &mut rng));
        let mut model = Model::default();
        for operation in operations.iter().flat_map(|operation| [operation, operation]) {
            let is_repetition_of_money = !matches!(operation, Operation::Wait(_));
            let (outcome, expected) = run_both(&mut site, &mut model, &wallets, operation);
            if is_repetition_of_money {
                assert_eq!(outcome, expected, "{operation:?}");
            }
        }
        site.write(ledger::expire_due).unwrap();
        (0..3).for_each(|wallet| model.expire(wallet));

        for (wallet, workspace) in wallets.iter().enumerate() {
            assert_eq!(site.balance(*workspace).micro(), model.balance(wallet), "wallet {wallet}");
            assert_eq!(site.wallet(*workspace), model.wallet(wallet), "wallet {wallet}");
            let filter = Filter { limit: ledger::STATEMENT_LINES_MAX, ..Filter::default() };
            let lines = site.read(|tx| ledger::statement(tx, *workspace, &filter).unwrap()).rows;
            let used = lines.iter().filter(|line| line.kind == Kind::Usage);
            assert_eq!(-used.map(|line| line.amount.micro()).sum::<i64>(), model.charged[wallet], "wallet {wallet}");
        }
        site.check().unwrap();
    });
}
