//! Replays the whole ledger and compares the result with everything that is stored about it (domain 2.6, 1 to 5 and 9).
//!
//! The triggers refuse changes that would damage the ledger. This check finds damage from other causes: a tool that
//! wrote to the file, a bad disk, a fault of the program.

mod store;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use self::store::{BalanceRow, HistoryLine, HistoryPosting, HistoryRow, LotRow};
use super::error::LedgerError;
use super::store as books;
use crate::base::{Credits, LedgerAccountId, WorkspaceId};
use crate::db::{Error, View};
pub use store::STATEMENTS;

/// The result of checking the whole ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSummary {
    /// The number of transactions.
    pub transactions: i64,
    /// The number of ledger accounts whose balance was compared.
    pub accounts: i64,
}

/// Checks the ledger from its first transaction to its last: numbers without gaps, transactions sealed and balanced, no
/// account ever beyond its bounds, no wallet with credit and debt at the same time, every statement line equal to the
/// effect of its transaction and consistent with the previous line, every stored balance the sum of its postings. Keeps
/// one number per account in memory.
///
/// # Errors
/// [`LedgerError::Damaged`] with the first row that does not match; [`LedgerError::Db`].
pub fn check(view: &View<'_>) -> Result<LedgerSummary, LedgerError> {
    let mut replay = Replay::default();
    store::walk_history(view, 0, |row| replay.read(row))?;
    replay.close()?;
    if store::count_lines(view, 0)? != replay.transactions {
        return Err(damaged("statement_line", "there are more lines than transactions"));
    }
    let mut kept = 0;
    store::walk_balances(view, |row| {
        kept += 1;
        replay.check_balance(&row)
    })?;
    let accounts = i64::try_from(replay.accounts.len()).unwrap_or(i64::MAX);
    if kept != accounts {
        return Err(damaged("ledger_balance", "an account with postings has no balance"));
    }
    store::walk_lots(view, |row| replay.check_lot(&row))?;
    Ok(LedgerSummary { transactions: replay.transactions, accounts })
}

/// As [`check`], for the transactions after number `seq`, of a ledger that was checked before up to there: `base` is that
/// state. Balances and lots are checked of the accounts that these transactions moved. The summary has the number of all
/// transactions, and of those accounts.
///
/// # Errors
/// As [`check`].
pub fn check_since(view: &View<'_>, base: &View<'_>, seq: i64) -> Result<LedgerSummary, LedgerError> {
    let mut replay = Replay { base: Some(base), transactions: seq, ..Replay::default() };
    store::walk_history(view, seq, |row| replay.read(row))?;
    replay.close()?;
    if store::count_lines(view, seq)? != replay.transactions - seq {
        return Err(damaged("statement_line", "there are more lines than transactions"));
    }
    for account in replay.accounts.keys() {
        let Some(row) = store::find_balance_row(view, *account)? else {
            return Err(damaged("ledger_balance", "an account with postings has no balance"));
        };
        replay.check_balance(&row)?;
        if let Some(row) = store::find_lot_row(view, *account)? {
            replay.check_lot(&row)?;
        }
    }
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
    let row = base.map(|base| store::find_balance_row(base, account)).transpose()?.flatten();
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

#[derive(Default)]
struct Replay<'v> {
    /// The state that the first transaction follows. `None`: there was nothing before it.
    base: Option<&'v View<'v>>,
    transactions: i64,
    accounts: HashMap<LedgerAccountId, AccountState>,
    wallets: HashMap<WorkspaceId, Wallet>,
    open: Option<OpenTransaction>,
}

impl Replay<'_> {
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
        if owner != open.workspace {
            return Err(damaged(format!("ledger_posting {}", open.seq), "it moves another workspace's wallet"));
        }
        open.effect -= amount;
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
        let wallet = match self.wallets.entry(open.workspace) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(wallet_in(self.base, open.workspace)?),
        };
        if wallet.lots < 0 && wallet.overdraft > 0 {
            return Err(damaged(name, "the wallet has credit and debt at the same time"));
        }
        let Some(line) = open.line else { return Err(damaged(name, "it has no statement line")) };
        let row = format!("statement_line {}", line.seq);
        if line.seq != open.seq || line.workspace != open.workspace || !line.is_same_kind {
            return Err(damaged(row, "it does not match its transaction"));
        }
        if i128::from(line.amount) != open.effect {
            return Err(damaged(row, "its amount is not the effect of its transaction"));
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
