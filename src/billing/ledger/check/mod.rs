//! Replays the whole ledger and compares the result with everything that is stored about it (domain 2.6, 1 to 5 and 9).
//!
//! The triggers refuse changes that would damage the ledger. This check finds damage from other causes: a tool that
//! wrote to the file, a bad disk, a fault of the program.

mod store;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use self::store::{BalanceRow, HistoryLine, HistoryPosting, HistoryRow, HoldRow, LotRow};
use super::error::LedgerError;
use super::holds::HoldState;
use super::store as books;
use crate::base::{Credits, LedgerAccountId, WorkspaceId};
use crate::db::{Error, View};
pub use store::STATEMENTS;

/// Accounts in memory at the same time: some 100 MB.
const ACCOUNTS_AT_ONCE: i64 = 1_000_000;

/// The result of checking the whole ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSummary {
    /// The number of transactions.
    pub transactions: i64,
    /// The number of ledger accounts whose balance was compared.
    pub accounts: i64,
}

/// Checks the ledger from its first transaction to its last: numbers without gaps, transactions sealed and balanced, no
/// account ever beyond its bounds, no wallet with free credit and debt at the same time, every statement line equal to the
/// effect of its transaction and consistent with the previous line, every stored balance the sum of its postings, every hold reserving exactly what is left of
/// it. Its memory is bounded: see [`check_in_parts`].
///
/// # Errors
/// [`LedgerError::Damaged`] with the first row that does not match; [`LedgerError::Db`].
pub fn check(view: &View<'_>) -> Result<LedgerSummary, LedgerError> {
    check_in_parts(view, ACCOUNTS_AT_ONCE)
}

/// As [`check`], with at most about so many accounts in memory: with more, the history is read once for each part of the
/// wallets.
///
/// # Errors
/// As [`check`].
pub fn check_in_parts(view: &View<'_>, accounts_at_once: i64) -> Result<LedgerSummary, LedgerError> {
    let parts = u64::try_from(store::count_accounts(view)? / accounts_at_once.max(1) + 1).unwrap_or(1);
    let mut summary = LedgerSummary { transactions: 0, accounts: 0 };
    for number in 0..parts {
        let mut replay = Replay::of(view, None, 0)?;
        replay.part = Part { number, parts };
        store::walk_history(view, 0, |row| replay.read(row))?;
        replay.close()?;
        if store::count_lines(view, 0)? != replay.transactions {
            return Err(damaged("statement_line", "there are more lines than transactions"));
        }
        let mut kept = 0;
        store::walk_balances(view, replay.has_holds, |row| {
            if !replay.part.has(row.wallet, row.account) {
                return Ok(());
            }
            kept += 1;
            replay.check_balance(&row)
        })?;
        let accounts = i64::try_from(replay.accounts.len()).unwrap_or(i64::MAX);
        if kept != accounts {
            return Err(damaged("ledger_balance", "an account with postings has no balance"));
        }
        store::walk_lots(view, |row| match replay.part.has(Some(row.workspace), row.account) {
            true => replay.check_lot(&row),
            false => Ok(()),
        })?;
        replay.check_debts()?;
        summary.transactions = replay.transactions;
        summary.accounts += accounts;
    }
    check_holds(view, false)?;
    Ok(summary)
}

/// A part of the wallets. All accounts of a wallet are in the same one.
#[derive(Clone, Copy)]
struct Part {
    number: u64,
    parts: u64,
}

impl Part {
    /// All wallets.
    const WHOLE: Self = Self { number: 0, parts: 1 };

    fn has(self, wallet: Option<WorkspaceId>, account: LedgerAccountId) -> bool {
        match wallet {
            Some(owner) => self.has_wallet(owner),
            None => account.random_bits() % self.parts == self.number,
        }
    }

    fn has_wallet(self, owner: WorkspaceId) -> bool {
        owner.random_bits() % self.parts == self.number
    }
}

/// As [`check`], for the transactions after number `seq`, of a ledger that was checked before up to there: `base` is that
/// state. Balances and lots are checked of the accounts that these transactions moved. The summary has the number of all
/// transactions, and of those accounts.
///
/// # Errors
/// As [`check`].
pub fn check_since(view: &View<'_>, base: &View<'_>, seq: i64) -> Result<LedgerSummary, LedgerError> {
    let mut replay = Replay::of(view, Some(base), seq)?;
    store::walk_history(view, seq, |row| replay.read(row))?;
    replay.close()?;
    if store::count_lines(view, seq)? != replay.transactions - seq {
        return Err(damaged("statement_line", "there are more lines than transactions"));
    }
    for account in replay.accounts.keys() {
        let Some(row) = store::find_balance_row(view, replay.has_holds, *account)? else {
            return Err(damaged("ledger_balance", "an account with postings has no balance"));
        };
        replay.check_balance(&row)?;
        if let Some(row) = store::find_lot_row(view, *account)? {
            replay.check_lot(&row)?;
        }
    }
    check_holds(view, true)?;
    replay.check_debts()?;
    let accounts = i64::try_from(replay.accounts.len()).unwrap_or(i64::MAX);
    Ok(LedgerSummary { transactions: replay.transactions, accounts })
}

/// The number of the last transaction. Zero: there is none.
///
/// # Errors
/// [`Error`].
pub fn last_transaction(view: &View<'_>) -> Result<i64, Error> {
    books::find_last_seq(view)
}

fn damaged(row: impl std::fmt::Display, what: &'static str) -> LedgerError {
    LedgerError::Damaged { row: row.to_string(), what }
}

/// A ledger account, up to the current posting.
#[derive(Default)]
struct AccountState {
    balance: i64,
    last_seq: i64,
}

/// A wallet, up to the current posting. Debits are positive.
#[derive(Default)]
struct Wallet {
    lots: i128,
    overdraft: i128,
    balance_after: i128,
}

/// The transaction of the current posting.
struct OpenTransaction {
    seq: i64,
    workspace: WorkspaceId,
    postings: u32,
    sum: i128,
    effect: i128,
    line: Option<HistoryLine>,
}

/// The account in the state before the first transaction.
fn account_in(base: Option<&View<'_>>, account: LedgerAccountId) -> Result<AccountState, Error> {
    // Only the balance counts, and the state can be of an earlier schema.
    let row = base.map(|base| store::find_balance_row(base, false, account)).transpose()?.flatten();
    Ok(row.map(|row| AccountState { balance: row.balance, last_seq: row.last_seq }).unwrap_or_default())
}

/// The wallet in the state before the first transaction.
fn wallet_in(base: Option<&View<'_>>, owner: WorkspaceId) -> Result<Wallet, Error> {
    let Some(base) = base else { return Ok(Wallet::default()) };
    let micro = |credits: Option<Credits>| i128::from(credits.map_or(0, Credits::micro));
    let balance_after = micro(books::find_balance(base, owner)?);
    let overdraft = micro(books::find_overdraft(base, owner)?);
    // A statement line is minus what is in lots and overdraft.
    Ok(Wallet { lots: -balance_after - overdraft, overdraft, balance_after })
}

/// Checks all holds, or those that are active or reserve something.
fn check_holds(view: &View<'_>, is_open: bool) -> Result<(), LedgerError> {
    match store::has_holds(view)? {
        true => store::walk_holds(view, is_open, |row| check_hold(&row)),
        false => Ok(()),
    }
}

/// An active hold reserves what is not captured, and a closed one nothing.
fn check_hold(row: &HoldRow) -> Result<(), LedgerError> {
    let expected = if row.state == HoldState::Active { row.amount - row.captured } else { 0 };
    match row.reserved == expected {
        true => Ok(()),
        false => Err(damaged(format!("credit_hold {}", row.id), "it does not reserve what is left of it")),
    }
}

struct Replay<'v> {
    view: &'v View<'v>,
    /// The state that the first transaction follows. `None`: there was nothing before it.
    base: Option<&'v View<'v>>,
    transactions: i64,
    accounts: HashMap<LedgerAccountId, AccountState>,
    wallets: HashMap<WorkspaceId, Wallet>,
    open: Option<OpenTransaction>,
    /// The wallets whose balances are followed. The others only have their transactions checked.
    part: Part,
    /// Whether the database has holds.
    has_holds: bool,
    /// Wallets with holds that had credit and debt at the same time.
    doubtful: HashSet<WorkspaceId>,
}

impl<'v> Replay<'v> {
    fn of(view: &'v View<'v>, base: Option<&'v View<'v>>, transactions: i64) -> Result<Self, Error> {
        Ok(Self {
            view,
            base,
            transactions,
            accounts: HashMap::new(),
            wallets: HashMap::new(),
            open: None,
            part: Part::WHOLE,
            has_holds: store::has_holds(view)?,
            doubtful: HashSet::new(),
        })
    }

    fn read(&mut self, row: HistoryRow) -> Result<(), LedgerError> {
        if self.open.as_ref().is_none_or(|open| open.seq != row.seq) {
            self.close()?;
            self.begin(&row)?;
        }
        match row.posting {
            Some(posting) => self.add(&posting),
            None => Ok(()),
        }
    }

    fn begin(&mut self, row: &HistoryRow) -> Result<(), LedgerError> {
        self.transactions += 1;
        let name = format!("ledger_tx {}", row.seq);
        if row.seq != self.transactions {
            return Err(damaged(name, "a number before it is missing"));
        }
        if !row.is_sealed {
            return Err(damaged(name, "it is not sealed"));
        }
        self.open = Some(OpenTransaction {
            seq: row.seq,
            workspace: row.workspace,
            postings: 0,
            sum: 0,
            effect: 0,
            line: row.line,
        });
        Ok(())
    }

    fn add(&mut self, posting: &HistoryPosting) -> Result<(), LedgerError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let amount = i128::from(posting.amount);
        open.postings += 1;
        open.sum += amount;
        if posting.wallet.is_some_and(|owner| owner != open.workspace) {
            return Err(damaged(format!("ledger_posting {}", open.seq), "it moves another workspace's wallet"));
        }
        if posting.wallet.is_some() {
            open.effect -= amount;
        }
        if !self.part.has(posting.wallet, posting.account) {
            return Ok(());
        }

        let account = match self.accounts.entry(posting.account) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(account_in(self.base, posting.account)?),
        };
        let moved = account.balance.checked_add(posting.amount);
        let Some(balance) = moved.filter(|balance| (posting.low..=posting.high).contains(balance)) else {
            let row = format!("ledger_posting {} on {}", open.seq, posting.account);
            return Err(damaged(row, "it takes the account beyond its bounds"));
        };
        *account = AccountState { balance, last_seq: open.seq };

        let Some(owner) = posting.wallet else { return Ok(()) };
        let wallet = match self.wallets.entry(owner) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(wallet_in(self.base, owner)?),
        };
        *(if posting.is_lot { &mut wallet.lots } else { &mut wallet.overdraft }) += amount;
        Ok(())
    }

    /// Checks the current transaction after its last posting.
    fn close(&mut self) -> Result<(), LedgerError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let name = format!("ledger_tx {}", open.seq);
        if open.postings < 2 {
            return Err(damaged(name, "it has fewer than two postings"));
        }
        if open.sum != 0 {
            return Err(damaged(name, "its postings do not add up to zero"));
        }
        let Some(line) = open.line else { return Err(damaged(name, "it has no statement line")) };
        let row = format!("statement_line {}", line.seq);
        if line.seq != open.seq || line.workspace != open.workspace || !line.is_same_kind {
            return Err(damaged(row, "it does not match its transaction"));
        }
        if i128::from(line.amount) != open.effect {
            return Err(damaged(row, "its amount is not the effect of its transaction"));
        }
        if !self.part.has_wallet(open.workspace) {
            return Ok(());
        }
        let wallet = match self.wallets.entry(open.workspace) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(wallet_in(self.base, open.workspace)?),
        };
        if wallet.lots < 0 && wallet.overdraft > 0 {
            // What was reserved at that time is not known any more: it is checked at the end.
            if !self.has_holds || !store::has_hold(self.view, open.workspace)? {
                return Err(damaged(name, "the wallet has credit and debt at the same time"));
            }
            self.doubtful.insert(open.workspace);
        }
        let balance_after = i128::from(line.balance_after);
        if balance_after != wallet.balance_after + open.effect {
            return Err(damaged(row, "its balance does not continue the previous line"));
        }
        if balance_after != -(wallet.lots + wallet.overdraft) {
            return Err(damaged(row, "its balance is not the lots less the overdraft"));
        }
        wallet.balance_after = balance_after;
        Ok(())
    }

    /// A wallet that still has credit and debt has no credit that is not reserved.
    fn check_debts(&self) -> Result<(), LedgerError> {
        for workspace in &self.doubtful {
            let owes = self.wallets.get(workspace).is_some_and(|wallet| wallet.overdraft > 0);
            if owes && store::free(self.view, *workspace)? != 0 {
                return Err(damaged(
                    format!("the wallet of {workspace}"),
                    "it has free credit and debt at the same time",
                ));
            }
        }
        Ok(())
    }

    fn check_balance(&self, row: &BalanceRow) -> Result<(), LedgerError> {
        let name = format!("ledger_balance {}", row.account);
        if !row.has_bounds_of_account {
            return Err(damaged(name, "its bounds are not its account's"));
        }
        match self.accounts.get(&row.account) {
            Some(state) if state.balance == row.balance && state.last_seq == row.last_seq => Ok(()),
            Some(_) => Err(damaged(name, "it is not the sum of the account's postings")),
            None => Err(damaged(name, "its account has no postings")),
        }
    }

    fn check_lot(&self, row: &LotRow) -> Result<(), LedgerError> {
        let name = format!("credit_lot {}", row.id);
        if row.posted != Some(row.original) {
            return Err(damaged(name, "its original amount is not the amount of its transaction"));
        }
        match self.accounts.get(&row.account) {
            Some(state) if row.is_exhausted == (state.balance == 0) => Ok(()),
            Some(_) => Err(damaged(name, "its exhausted flag does not match its balance")),
            None => Err(damaged(name, "its account has no postings")),
        }
    }
}
