//! A random history against the reference model: grants, charges, holds, captures, refunds, disputes, expiries, repeated and late
//! requests, and crashes between any two writes. Whatever happens, both agree to the micro-credit.
//!
//! `SEED` chooses another history, and `STEPS` its length.

mod harness;
mod model;

use domicile::base::TransactionId;
use domicile::billing::ledger::holds;
use domicile::billing::ledger::{Reason, Refund, Withdrawal, WriteOff};
use domicile::billing::usage::UsageError;
use domicile::billing::usage::authorizations::{self, AuthorizationState, UsageRequest};

use self::harness::{Authorized, Counted, HistoryCounts, PRICE, Payment, Posted, Simulation};
use self::model::rounded;
use super::*;

/// Steps in a quick and in a deep run.
const STEPS: (usize, usize) = (5_000, 40_000);
/// The whole ledger is checked so many times.
const CHECKS: usize = 6;
/// Steps of a rich or of a poor time.
const SEASON: usize = 100;

impl Simulation {
    fn step(&mut self) {
        self.step += 1;
        match self.below(100) {
            0..14 => self.grant(),
            14..22 => self.charge(),
            22..28 => self.spend(),
            28..40 => self.authorize(),
            40..62 => self.report(),
            62..70 => self.correct(),
            70..76 => self.close(),
            76..82 => self.refund(),
            82..86 => self.withdraw(),
            86..88 => self.write_off(),
            88..93 => self.repeat(),
            93..97 => {
                let hours_passed = 1 + self.below(30) as u64;
                self.site.clock.advance(hours(hours_passed));
                self.model.now += hours_passed;
            }
            _ => {
                self.run(holds::expire_holds).unwrap();
                self.model.expire_holds();
                self.run(ledger::expire_due).unwrap();
                self.model.expire_lots();
            }
        }
        self.compare();
    }

    fn grant(&mut self) {
        // There are rich and poor times: with credit holds are made, and without it there is debt.
        let is_rich = (self.step / SEASON).is_multiple_of(2);
        let (wallet, amount, name) = (self.below(3), self.amount() * if is_rich { 5 } else { 1 }, self.name("grant"));
        let origins = [Origin::Promo, Origin::Monthly, Origin::Purchase, Origin::Voucher];
        let (origin, priority) = (origins[self.below(4)], 49 + self.below(3) as u8);
        let lasts = (self.below(3) > 0).then(|| 1 + self.below(300) as u64);
        let grant = Grant {
            priority,
            expires_at: lasts.map(|n| self.site.clock.now().plus(hours(n))),
            ..Grant::new(self.wallets[wallet], micro(amount), origin, "Credit", &name)
        };
        let posted = self.run(|tx| ledger::grant(tx, &Actor::System, grant.clone())).unwrap();
        let ends = lasts.map_or(u64::MAX, |n| self.model.now + n);
        self.model.grant(wallet, &name, amount, (priority, ends, origin.category() == Category::Paid));
        if origin == Origin::Purchase {
            self.payments.push(Payment { id: posted.id, wallet, name, left: amount });
        }
        self.repeats.push(Box::new(move |site, _| site.grant(grant.clone()).is_ok_and(|again| again == posted)));
    }

    fn charge(&mut self) {
        let (wallet, amount) = (self.below(3), self.amount());
        let charge = charge_of(self.wallets[wallet], micro(amount), &self.name("charge"));
        let posted = self.run(|tx| ledger::charge(tx, &Actor::System, charge.clone())).unwrap();
        let taken = self.model.charge(wallet, amount);
        self.posted.push(Posted { id: posted.id, wallet, taken, is_of_events: false });
        self.repeats.push(Box::new(move |site, _| site.charge(charge.clone()).is_ok_and(|again| again == posted)));
    }

    fn spend(&mut self) {
        let (wallet, amount) = (self.below(3), self.amount());
        let charge = charge_of(self.wallets[wallet], micro(amount), &self.name("spend"));
        let outcome = self.run(|tx| ledger::spend(tx, &Actor::System, charge.clone()));
        match (self.model.spend(wallet, amount), outcome) {
            (Some(taken), Ok(posted)) => self.posted.push(Posted { id: posted.id, wallet, taken, is_of_events: false }),
            (None, Err(LedgerError::InsufficientCredit { .. })) => {}
            (expected, outcome) => panic!("step {}: {expected:?}, {outcome:?}", self.step),
        }
    }

    fn authorize(&mut self) {
        let (wallet, quantity) = (self.below(3), 1 + self.below(20_000_000) as i64);
        let has_key = wallet == 0 && self.below(2) == 0;
        let request = UsageRequest {
            workspace: self.wallets[wallet],
            sku: "gpu.h100".into(),
            quantity: Quantity::from_micro(quantity).unwrap(),
            key: has_key.then_some(self.key),
        };
        let service = self.service.clone();
        let outcome = self.run(|tx| authorizations::authorize(tx, &service, &request));
        let amount = rounded(i128::from(PRICE) * i128::from(quantity));
        let id = outcome.as_ref().ok().map(|made| made.id);
        let name = id.map(|id| id.to_string()).unwrap_or_default();
        let is_reserved = amount == 0 || self.model.reserve(wallet, &name, amount, 40, has_key);
        match (is_reserved, outcome) {
            (true, Ok(made)) => {
                self.authorized.push(Authorized { id: made.id, wallet, has_key, is_open: true, pico: 0 });
                self.counts.reserved += 1;
                self.counts.reserved_by_key += usize::from(has_key);
            }
            (
                false,
                Err(UsageError::Ledger(
                    LedgerError::InsufficientCredit { .. } | LedgerError::InsufficientBudget { .. },
                )),
            ) => self.counts.refused += 1,
            (expected, outcome) => panic!("step {}: {expected}, {outcome:?}", self.step),
        }
    }

    /// Reports one to three events of a wallet, some for an authorization, some of them twice.
    fn report(&mut self) {
        let wallet = self.below(3);
        let mut events: Vec<NewEvent> = Vec::new();
        let mut counted = Vec::new();
        for number in 0..1 + self.below(3) {
            let of_wallet: Vec<usize> = (0..self.authorized.len())
                .rev()
                .filter(|index| self.authorized[*index].wallet == wallet)
                .take(4)
                .collect();
            let authorization =
                (!of_wallet.is_empty() && self.below(3) > 0).then(|| of_wallet[self.below(of_wallet.len())]);
            let has_key = wallet == 0 && self.below(4) == 0;
            let quantity = 1 + self.below(8_000_000) as i64;
            let id = format!("{} {number}", self.step);
            let mut event = event(self.wallets[wallet], &id, &Quantity::from_micro(quantity).unwrap().to_string());
            event.authorization = authorization.map(|index| self.authorized[index].id);
            event.key = has_key.then_some(self.key);
            let key_counts = has_key || authorization.is_some_and(|index| self.authorized[index].has_key);
            counted.push((id, quantity, authorization, key_counts));
            events.push(event.clone());
            if self.below(5) == 0 {
                events.push(event);
            }
        }
        let batch: Vec<Result<NewEvent, Fault>> = events.into_iter().map(Ok).collect();
        let (service, duplicates) = (self.service.clone(), batch.len() - counted.len());
        let answer = self.run(|tx| usage::record_batch(tx, &service, &batch)).unwrap();
        assert_eq!((answer.accepted, answer.duplicates), (counted.len(), duplicates), "step {}", self.step);

        // One transaction for each authorization; the one without is the first.
        let mut groups: Vec<Option<usize>> = counted.iter().map(|(_, _, authorization, _)| *authorization).collect();
        groups.sort_by_key(|group| group.map(|index| self.authorized[index].id));
        groups.dedup();
        self.model.expire(wallet);
        let mut places = Vec::new();
        for group in groups {
            let (mut charge, mut by_key) = (0, 0);
            for (_, quantity, _, key_counts) in counted.iter().filter(|(_, _, of, _)| *of == group) {
                let part = self.use_meter(wallet, group, i128::from(*quantity));
                charge += part;
                by_key += if *key_counts { part } else { 0 };
            }
            self.model.spent += by_key;
            if charge == 0 {
                continue;
            }
            let taken = match group {
                None => self.model.charge(wallet, charge),
                Some(index) => {
                    let id = self.authorized[index].id.to_string();
                    self.counts.captured += usize::from(self.model.holds.contains_key(&id));
                    self.model.capture(wallet, &id, charge)
                }
            };
            places.push((group, self.posted.len()));
            let id =
                counted.iter().find_map(|(id, _, of, _)| (*of == group).then(|| self.transaction_of(id)).flatten());
            let id = id.expect("an event of a charged group names its transaction");
            self.posted.push(Posted { id, wallet, taken, is_of_events: true });
        }
        for (id, left, authorization, has_key) in counted {
            let tx = self.transaction_of(&id);
            let posted = places.iter().find(|(of, _)| *of == authorization && tx.is_some()).map(|(_, place)| *place);
            self.events.push(Counted { id, wallet, left, authorization, has_key, posted });
        }
        self.repeats.push(Box::new(move |site, model| {
            // Whatever touches a wallet expires its due credit.
            model.expire(wallet);
            let again = site.write(|tx| usage::record_batch(tx, &service, &batch)).unwrap();
            (again.accepted, again.rejected.len()) == (0, 0)
        }));
    }

    fn transaction_of(&self, event: &str) -> Option<TransactionId> {
        let sql =
            "select tx_id from usage_event where service_id = ?1 and source = 'https://gpu.example/farm-1' and id = ?2";
        let Actor::Service { service, .. } = &self.service else { unreachable!() };
        let name = [&service.to_string(), event];
        let found: Option<String> = self.site.connection.query_row(sql, name, |row| row.get(0)).unwrap();
        found.map(|id| TransactionId::parse(&id).unwrap())
    }

    /// What more the meter charges for a quantity; below zero: what it returns.
    fn use_meter(&mut self, wallet: usize, authorization: Option<usize>, quantity: i128) -> i64 {
        let total = match authorization {
            None => &mut self.meters[wallet],
            Some(index) => &mut self.authorized[index].pico,
        };
        let before = rounded(*total);
        *total += quantity * i128::from(PRICE);
        rounded(*total) - before
    }

    fn correct(&mut self) {
        let recent = self.events.len().saturating_sub(30);
        let open: Vec<usize> = (recent..self.events.len()).filter(|index| self.events[*index].left > 0).collect();
        if open.is_empty() {
            return;
        }
        let index = open[self.below(open.len())];
        let (wallet, authorization) = (self.events[index].wallet, self.events[index].authorization);
        let quantity = (1 + self.below(8_000_000) as i64).min(self.events[index].left);
        let id = self.name("correct");
        let text = Quantity::from_micro(quantity).unwrap().to_string();
        let mut correction = event(self.wallets[wallet], &id, &text);
        correction.authorization = authorization.map(|index| self.authorized[index].id);
        correction.corrects = usage::EventName::parse(&self.events[index].id);
        let (service, batch) = (self.service.clone(), [Ok(correction)]);
        assert_eq!(self.run(|tx| usage::record_batch(tx, &service, &batch)).unwrap().accepted, 1, "step {}", self.step);

        self.events[index].left -= quantity;
        let returned = -self.use_meter(wallet, authorization, -i128::from(quantity));
        let Actor::Service { service, .. } = &self.service else { unreachable!() };
        let source = "https://gpu.example/farm-1";
        let name = format!("correct:{service}:{}:{source}:{id}", source.len());
        let mut rest = returned;
        if let Some(place) = self.events[index].posted {
            let amount = self.posted[place].taken.sum().min(rest);
            if amount > 0 {
                self.model.give_back(wallet, &name, &mut self.posted[place].taken, amount);
                rest -= amount;
            }
        }
        if rest > 0 {
            self.model.grant(wallet, &format!("{name}:rest"), rest, (50, u64::MAX, false));
        }
        if self.events[index].has_key {
            self.model.spent = (self.model.spent - returned).max(0);
        }
    }

    fn close(&mut self) {
        let recent = self.authorized.len().saturating_sub(12);
        let open: Vec<usize> =
            (recent..self.authorized.len()).filter(|index| self.authorized[*index].is_open).collect();
        if open.is_empty() {
            return;
        }
        let index = open[self.below(open.len())];
        let (id, is_settled, service) = (self.authorized[index].id, self.below(2) == 0, self.service.clone());
        let closed = self.run(|tx| match is_settled {
            true => authorizations::settle(tx, &service, id),
            false => authorizations::release(tx, &service, id),
        });
        let closed = closed.unwrap();
        let state = if is_settled { AuthorizationState::Settled } else { AuthorizationState::Released };
        assert_eq!((closed.state, closed.charged.micro()), (state, rounded(self.authorized[index].pico)));
        self.authorized[index].is_open = false;
        self.model.close(&id.to_string());
        self.repeats.push(Box::new(move |site, _| {
            site.write(|tx| authorizations::settle(tx, &service, id)).is_ok_and(|again| again.state == state)
        }));
    }

    fn refund(&mut self) {
        let recent = self.posted.len().saturating_sub(20);
        let of: Vec<usize> = (recent..self.posted.len())
            .filter(|place| !self.posted[*place].is_of_events && self.posted[*place].taken.sum() > 0)
            .collect();
        if of.is_empty() {
            return;
        }
        let place = of[self.below(of.len())];
        let (wallet, left) = (self.posted[place].wallet, self.posted[place].taken.sum());
        let (amount, idem_key) = (self.amount(), self.name("refund"));
        let refund = Refund {
            workspace: self.wallets[wallet],
            of: self.posted[place].id,
            amount: micro(amount),
            details: "Returned".into(),
            idem_key: idem_key.clone(),
        };
        match self.run(|tx| ledger::refund(tx, &Actor::System, refund.clone())) {
            Ok(posted) if amount <= left => {
                self.model.give_back(wallet, &idem_key, &mut self.posted[place].taken, amount);
                self.repeats.push(Box::new(move |site, _| {
                    let refund = refund.clone();
                    site.write(|tx| ledger::refund(tx, &Actor::System, refund)).is_ok_and(|again| again == posted)
                }));
            }
            Err(LedgerError::AboveLimit { limit }) if amount > left => assert_eq!(limit.micro(), left),
            outcome => panic!("step {}: {amount} of {left}: {outcome:?}", self.step),
        }
    }

    /// An adjustment, a refund of a payment, or a dispute.
    fn withdraw(&mut self) {
        let (amount, idem_key, fee) = (self.amount(), self.name("withdraw"), Credits::whole(1));
        let recent = self.payments.len().saturating_sub(6);
        let place =
            (!self.payments.is_empty() && self.below(4) > 0).then(|| recent + self.below(self.payments.len() - recent));
        let (wallet, reason, left) = match place {
            None => (self.below(3), Reason::Adjustment, i64::MAX),
            Some(place) => {
                let (of, is_dispute) = (self.payments[place].id, self.below(2) == 0);
                let reason = if is_dispute { Reason::Dispute { of, fee } } else { Reason::PaymentRefund(of) };
                (self.payments[place].wallet, reason, self.payments[place].left)
            }
        };
        let withdrawal = Withdrawal {
            workspace: self.wallets[wallet],
            amount: micro(amount),
            reason,
            details: "Taken".into(),
            idem_key,
        };
        match self.run(|tx| ledger::withdraw(tx, &Actor::System, withdrawal.clone())) {
            Ok(posted) if amount <= left => {
                let name = place.map(|place| self.payments[place].name.clone());
                let taken = self.model.withdraw(wallet, amount, name.as_deref());
                if let Some(place) = place {
                    self.payments[place].left -= amount;
                }
                if matches!(reason, Reason::Dispute { .. }) {
                    self.posted.push(Posted { id: posted.id, wallet, taken, is_of_events: false });
                }
            }
            Err(LedgerError::AboveLimit { limit }) if amount > left => assert_eq!(limit.micro(), left),
            outcome => panic!("step {}: {amount} of {left}: {outcome:?}", self.step),
        }
    }

    fn write_off(&mut self) {
        let (wallet, amount, idem_key) = (self.below(3), self.amount(), self.name("write off"));
        let write_off =
            WriteOff { workspace: self.wallets[wallet], amount: micro(amount), details: "Lost".into(), idem_key };
        let debt = self.model.wallets[wallet].debt;
        match self.run(|tx| ledger::write_off(tx, &Actor::System, write_off.clone())) {
            Ok(_) if amount <= debt => self.model.wallets[wallet].debt -= amount,
            Err(LedgerError::AboveLimit { limit }) if amount > debt => assert_eq!(limit.micro(), debt),
            outcome => panic!("step {}: {amount} of {debt}: {outcome:?}", self.step),
        }
    }

    /// Repeats an earlier request, however long ago it was: it changes nothing.
    fn repeat(&mut self) {
        if !self.repeats.is_empty() {
            let index = self.below(self.repeats.len());
            assert!(
                self.repeats[index](&mut self.site, &mut self.model),
                "step {}: the repetition of request {index}",
                self.step
            );
        }
    }
}

#[test]
fn a_random_history_agrees_with_the_reference_model() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or(1);
    let steps = number("STEPS").map_or_else(|| crate::support::rounds(STEPS.0, STEPS.1), |steps| steps as usize);
    eprintln!("SEED={seed} STEPS={steps}");
    let mut simulation = Simulation::new(seed);
    for step in 0..steps {
        simulation.step();
        if (step + 1).is_multiple_of(steps.div_ceil(CHECKS)) {
            simulation.site.check().unwrap();
        }
    }
    simulation.site.check().unwrap();
    assert!(simulation.crashes > steps / 80, "only {} of {steps} steps crashed", simulation.crashes);
    let HistoryCounts { reserved, reserved_by_key, refused, captured } = simulation.counts;
    let counts = [reserved, refused, captured, reserved_by_key * 8];
    assert!(counts.iter().all(|count| *count > steps / 80), "too little happened: {:?}", simulation.counts);
    eprintln!("{steps} steps, {} crashes, {} transactions", simulation.crashes, simulation.site.count("ledger_tx"));
}
