//! The reference model: what a wallet is, in its simplest form. Amounts are micro-credits, times are hours. It shares nothing with
//! the ledger, and has no idea of accounts, postings or tables.

use std::collections::HashMap;
use std::rc::Rc;

/// A lot. Lots burn in the order of `rank`.
#[derive(Clone, Debug)]
pub struct Lot {
    pub name: Rc<str>,
    /// Priority, last hour, whether paid, hour of its grant, number.
    pub rank: (u8, u64, bool, u64, usize),
    pub left: i64,
    pub held: i64,
}

impl Lot {
    fn free(&self) -> i64 {
        self.left - self.held
    }

    fn is_over(&self, now: u64) -> bool {
        self.rank.1 <= now
    }
}

/// Where credit came from: a lot, or debt.
pub type Source = Option<usize>;

/// What a transaction took, the last of it at the end. What is returned is popped.
#[derive(Clone, Debug, Default)]
pub struct Taken(pub Vec<(Source, i64)>);

impl Taken {
    pub fn sum(&self) -> i64 {
        self.0.iter().map(|(_, amount)| amount).sum()
    }

    fn pop(&mut self, amount: i64) -> Vec<(Source, i64)> {
        let (mut rest, mut popped) = (amount, Vec::new());
        while rest > 0 {
            let (source, there) = self.0.pop().expect("no more is returned than was taken");
            let part = there.min(rest);
            if part < there {
                self.0.push((source, there - part));
            }
            popped.push((source, part));
            rest -= part;
        }
        popped
    }
}

/// A hold that is not closed.
#[derive(Clone, Debug)]
pub struct Hold {
    pub wallet: usize,
    pub parts: Vec<(usize, i64)>,
    pub ends: u64,
    pub has_key: bool,
}

impl Hold {
    pub fn left(&self) -> i64 {
        self.parts.iter().map(|(_, amount)| amount).sum()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Wallet {
    pub lots: Vec<Lot>,
    pub debt: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub now: u64,
    pub wallets: Vec<Wallet>,
    pub holds: HashMap<String, Hold>,
    /// The budget of the key of the first wallet, what it spent, and what is reserved.
    pub budget: i64,
    pub spent: i64,
    pub reserved: i64,
}

impl Model {
    pub fn balance(&self, wallet: usize) -> i64 {
        self.wallets[wallet].lots.iter().map(|lot| lot.left).sum::<i64>() - self.wallets[wallet].debt
    }

    pub fn available(&self, wallet: usize) -> i64 {
        let over: Vec<&Hold> =
            self.holds.values().filter(|hold| hold.wallet == wallet && hold.ends <= self.now).collect();
        let lots = &self.wallets[wallet].lots;
        let free: i64 = lots.iter().filter(|lot| !lot.is_over(self.now)).map(Lot::free).sum();
        let parts = over.iter().flat_map(|hold| &hold.parts).filter(|(lot, _)| !lots[*lot].is_over(self.now));
        free + parts.map(|(_, part)| part).sum::<i64>() - self.wallets[wallet].debt
    }

    /// Lots and debt by name: what is left, and what of it is reserved.
    pub fn wallet(&self, wallet: usize) -> Vec<(String, i64, i64)> {
        let Wallet { lots, debt } = &self.wallets[wallet];
        let mut all: Vec<_> = lots.iter().map(|lot| (lot.name.to_string(), lot.left, lot.held)).collect();
        all.push(("debt".to_owned(), *debt, 0));
        all.retain(|(_, left, _)| *left != 0);
        all.sort();
        all
    }

    pub fn expire(&mut self, wallet: usize) {
        for lot in &mut self.wallets[wallet].lots {
            if lot.is_over(self.now) {
                lot.left = lot.held;
            }
        }
    }

    fn in_order(&self, wallet: usize) -> Vec<usize> {
        let lots = &self.wallets[wallet].lots;
        let mut order: Vec<usize> = (0..lots.len()).filter(|index| lots[*index].free() > 0).collect();
        order.sort_by_key(|index| lots[*index].rank);
        order
    }

    /// Which lots would give this amount, and what is missing.
    fn choose(&self, wallet: usize, order: &[usize], amount: i64) -> (Vec<(usize, i64)>, i64) {
        let (mut rest, mut parts) = (amount, Vec::new());
        for index in order {
            let part = self.wallets[wallet].lots[*index].free().min(rest);
            if part > 0 {
                parts.push((*index, part));
                rest -= part;
            }
        }
        (parts, rest)
    }

    /// As a charge chooses: holds whose time is over are looked for only if something is missing.
    fn choose_free(&mut self, wallet: usize, amount: i64) -> (Vec<(usize, i64)>, i64) {
        let chosen = self.choose(wallet, &self.in_order(wallet), amount);
        if chosen.1 > 0 && self.release_due(wallet) {
            return self.choose(wallet, &self.in_order(wallet), amount);
        }
        chosen
    }

    fn take(&mut self, wallet: usize, parts: &[(usize, i64)], missing: i64) -> Taken {
        let mut taken = Taken::default();
        for (index, part) in parts {
            self.wallets[wallet].lots[*index].left -= part;
            taken.0.push((Some(*index), *part));
        }
        self.wallets[wallet].debt += missing;
        if missing > 0 {
            taken.0.push((None, missing));
        }
        taken
    }

    pub fn grant(&mut self, wallet: usize, name: &str, amount: i64, rank: (u8, u64, bool)) {
        let repaid = amount.min(self.wallets[wallet].debt);
        self.wallets[wallet].debt -= repaid;
        self.open(wallet, name, amount - repaid, rank);
    }

    fn open(&mut self, wallet: usize, name: &str, left: i64, rank: (u8, u64, bool)) {
        let number = self.wallets[wallet].lots.len();
        let rank = (rank.0, rank.1, rank.2, self.now, number);
        self.wallets[wallet].lots.push(Lot { name: name.into(), rank, left, held: 0 });
    }

    /// `None`: there is not enough, and nothing changed.
    pub fn spend(&mut self, wallet: usize, amount: i64) -> Option<Taken> {
        let before = self.clone();
        self.expire(wallet);
        let (parts, missing) = self.choose_free(wallet, amount);
        if missing > 0 {
            *self = before;
            return None;
        }
        Some(self.take(wallet, &parts, 0))
    }

    pub fn charge(&mut self, wallet: usize, amount: i64) -> Taken {
        self.expire(wallet);
        let (parts, missing) = self.choose_free(wallet, amount);
        self.take(wallet, &parts, missing)
    }

    /// Whether it was reserved.
    pub fn reserve(&mut self, wallet: usize, id: &str, amount: i64, hours: u64, has_key: bool) -> bool {
        let before = self.clone();
        self.release_due(wallet);
        self.expire(wallet);
        let (parts, missing) = self.choose(wallet, &self.in_order(wallet), amount);
        if missing > 0 || (has_key && self.spent + self.reserved + amount > self.budget) {
            *self = before;
            return false;
        }
        for (index, part) in &parts {
            self.wallets[wallet].lots[*index].held += part;
        }
        self.reserved += if has_key { amount } else { 0 };
        let hold = Hold { wallet, parts, ends: self.now + hours, has_key };
        self.holds.insert(id.to_owned(), hold);
        true
    }

    fn unhold(&mut self, id: &str) -> usize {
        let hold = self.holds.remove(id).unwrap();
        for (index, part) in &hold.parts {
            self.wallets[hold.wallet].lots[*index].held -= part;
        }
        self.reserved -= if hold.has_key { hold.left() } else { 0 };
        hold.wallet
    }

    fn tidy(&mut self, wallet: usize) {
        self.expire(wallet);
        let (parts, missing) = self.choose(wallet, &self.in_order(wallet), self.wallets[wallet].debt);
        let repaid = self.wallets[wallet].debt - missing;
        self.take(wallet, &parts, 0);
        self.wallets[wallet].debt -= repaid;
    }

    /// Settled, released or expired: what is left is free.
    pub fn close(&mut self, id: &str) {
        if self.holds.contains_key(id) {
            let wallet = self.unhold(id);
            self.tidy(wallet);
        }
    }

    fn release_due(&mut self, wallet: usize) -> bool {
        let now = self.now;
        let is_due = |hold: &&Hold| hold.wallet == wallet && hold.ends <= now;
        let due: Vec<_> = self.holds.iter().filter(|(_, hold)| is_due(hold)).map(|(id, _)| id.clone()).collect();
        for id in &due {
            self.unhold(id);
        }
        if !due.is_empty() {
            self.tidy(wallet);
        }
        !due.is_empty()
    }

    /// The job of holds.
    pub fn expire_holds(&mut self) {
        for wallet in 0..self.wallets.len() {
            self.release_due(wallet);
        }
    }

    /// The job of lots.
    pub fn expire_lots(&mut self) {
        for wallet in 0..self.wallets.len() {
            self.expire(wallet);
        }
    }

    pub fn capture(&mut self, wallet: usize, id: &str, amount: i64) -> Taken {
        self.expire(wallet);
        match self.holds.get(id) {
            Some(hold) if hold.ends > self.now => {}
            Some(_) => {
                self.close(id);
                return self.charge(wallet, amount);
            }
            None => return self.charge(wallet, amount),
        }
        let captured = amount.min(self.holds[id].left());
        let (free, missing) = match amount - captured {
            0 => (Vec::new(), 0),
            more => self.choose_free(wallet, more),
        };
        let (mut rest, mut parts) = (captured, Vec::new());
        let hold = self.holds.get_mut(id).unwrap();
        for (index, there) in &mut hold.parts {
            let part = rest.min(*there);
            (*there, rest) = (*there - part, rest - part);
            self.wallets[wallet].lots[*index].held -= part;
            parts.push((*index, part));
        }
        self.reserved -= if hold.has_key { captured } else { 0 };
        parts.extend(free);
        parts.retain(|(_, part)| *part > 0);
        self.take(wallet, &parts, missing)
    }

    /// Returns what was taken, debt first. Credit that is over comes back for 720 hours.
    pub fn give_back(&mut self, wallet: usize, name: &str, taken: &mut Taken, amount: i64) {
        self.expire(wallet);
        let repaid = amount.min(self.wallets[wallet].debt);
        self.wallets[wallet].debt -= repaid;
        taken.pop(repaid);
        let mut new: Vec<((u8, u64, bool), i64)> = Vec::new();
        for (source, part) in taken.pop(amount - repaid) {
            let rank = match source {
                None => (50, u64::MAX, false),
                Some(index) => {
                    let now = self.now;
                    let lot = &mut self.wallets[wallet].lots[index];
                    if !lot.is_over(now) {
                        lot.left += part;
                        continue;
                    }
                    (lot.rank.0, now + 720, lot.rank.2)
                }
            };
            match new.iter_mut().find(|(known, _)| *known == rank) {
                Some((_, sum)) => *sum += part,
                None => new.push((rank, part)),
            }
        }
        for (rank, amount) in new {
            self.open(wallet, name, amount, rank);
        }
    }

    /// Takes credit back: of a payment, its own lot first, then what is paid, then the rest.
    pub fn withdraw(&mut self, wallet: usize, amount: i64, payment: Option<&str>) -> Taken {
        self.expire(wallet);
        let mut order = self.in_order(wallet);
        if let Some(name) = payment {
            let lots = &self.wallets[wallet].lots;
            order.sort_by_key(|index| (*lots[*index].name != *name, !lots[*index].rank.2));
        }
        let (parts, missing) = self.choose(wallet, &order, amount);
        self.take(wallet, &parts, missing)
    }
}

/// A price of the total, rounded half to even once. `pico`: millionths of a micro-credit.
pub fn rounded(pico: i128) -> i64 {
    let (whole, part) = (pico / 1_000_000, pico % 1_000_000);
    let is_up = part > 500_000 || (part == 500_000 && whole % 2 == 1);
    i64::try_from(whole).unwrap() + i64::from(is_up)
}
