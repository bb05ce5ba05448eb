-- Money. Double entry in micro-credits: debits are positive, credits negative, and a transaction's postings add up to zero
-- before it can be sealed. A sealed transaction never changes; a mistake is corrected by another transaction that names it.
-- The rules stand here as triggers, because the database must not be able to hold anything else. They hold against
-- `insert or replace` too, which deletes without asking the delete triggers.

-- Wallets are many accounts (one per lot of credit, and one for what is owed); the site has a few of its own, without a
-- workspace. An account's balance stays between its two bounds: a lot, which is credit-normal, from -10^15 to 0, so it
-- is never overdrawn; a debt from 0 to 10^15, so it is never credit in disguise; the site's own accounts as far as an
-- integer reaches, so that no wallet at its limit stops the others.
create table ledger_account (
  id text primary key,
  workspace_id text,
  code text not null,
  lot_id text check (lot_id is null or workspace_id is not null),
  low_micro integer not null,
  high_micro integer not null check (high_micro >= low_micro)
) strict;
create unique index ledger_account_once on ledger_account (coalesce(workspace_id, ''), code, coalesce(lot_id, ''));

-- `seq` is dense from 1, and `digest` is of what was asked for, so that the same `idem_key` is a repetition or a
-- contradiction for ever.
create table ledger_tx (
  id text primary key,
  seq integer not null unique,
  kind text not null check (kind in ('signup', 'adjustment', 'usage', 'purchase', 'expired', 'refund')),
  workspace_id text not null,
  posted_at integer not null,
  idem_key text not null unique,
  digest blob not null check (length(digest) = 32),
  actor_kind text not null,
  actor_id text,
  key_id text,
  reverses_tx_id text unique references ledger_tx (id),
  sealed integer not null default 0 check (sealed in (0, 1))
) strict;

create table ledger_posting (
  tx_id text not null references ledger_tx (id),
  n integer not null,
  account_id text not null references ledger_account (id),
  amount_micro integer not null
    check (amount_micro <> 0 and amount_micro between -1000000000000000 and 1000000000000000),
  primary key (tx_id, n)
) strict, without rowid;
create index ledger_posting_of_account on ledger_posting (account_id);

-- The sum of an account's postings, kept by a trigger: whoever writes a posting cannot forget it. The bounds are copied
-- from the account, so that a check can hold them.
create table ledger_balance (
  account_id text primary key references ledger_account (id),
  balance_micro integer not null,
  low_micro integer not null,
  high_micro integer not null,
  last_seq integer not null,
  check (balance_micro between low_micro and high_micro)
) strict, without rowid;

create trigger ledger_account_is_never_changed before update on ledger_account
begin select raise(abort, 'a ledger account is never changed'); end;
create trigger ledger_account_is_never_deleted before delete on ledger_account
begin select raise(abort, 'a ledger account is never deleted'); end;
create trigger ledger_account_is_new before insert on ledger_account
  when exists (select 1 from ledger_account where id = new.id)
begin select raise(abort, 'a ledger account is never replaced'); end;

create trigger ledger_tx_is_the_next before insert on ledger_tx
begin
  select raise(abort, 'a transaction is sealed after its postings') where new.sealed <> 0;
  select raise(abort, 'a ledger transaction is never replaced')
  where exists (select 1 from ledger_tx where id = new.id);
  select raise(abort, 'a ledger transaction has the next number, and the one before it is sealed')
  where new.seq <> coalesce((select max(seq) from ledger_tx), 0) + 1
     or (select sealed from ledger_tx where seq = new.seq - 1) = 0;
end;
create trigger ledger_tx_seals_at_zero before update of sealed on ledger_tx
begin
  select raise(abort, 'a ledger transaction is never changed') where old.sealed = 1 or new.sealed = 0;
  select raise(abort, 'postings must be two or more and add up to zero')
  where (select count(*) from ledger_posting where tx_id = new.id) < 2
     or (select sum(amount_micro) from ledger_posting where tx_id = new.id) <> 0;
end;
create trigger ledger_tx_is_never_changed
  before update of id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind, actor_id, key_id, reverses_tx_id
  on ledger_tx
begin select raise(abort, 'a ledger transaction is never changed'); end;
create trigger ledger_tx_is_never_deleted before delete on ledger_tx
begin select raise(abort, 'a ledger transaction is never deleted'); end;

create trigger ledger_posting_is_the_next before insert on ledger_posting
begin
  select raise(abort, 'a sealed transaction takes no postings')
  where (select sealed from ledger_tx where id = new.tx_id) = 1;
  select raise(abort, 'a posting has the next number')
  where new.n <> coalesce((select max(n) from ledger_posting where tx_id = new.tx_id), 0) + 1;
  select raise(abort, 'a transaction moves no wallet but its own')
  from ledger_account join ledger_tx on ledger_tx.id = new.tx_id
  where ledger_account.id = new.account_id and ledger_account.workspace_id <> ledger_tx.workspace_id;
end;
create trigger ledger_posting_moves_the_balance after insert on ledger_posting
begin
  insert into ledger_balance (account_id, balance_micro, low_micro, high_micro, last_seq)
  select new.account_id, 0, low_micro, high_micro, 0 from ledger_account where id = new.account_id
  on conflict (account_id) do nothing;
  update ledger_balance
  set balance_micro = balance_micro + new.amount_micro,
      last_seq = (select seq from ledger_tx where id = new.tx_id)
  where account_id = new.account_id;
end;
create trigger ledger_posting_is_never_changed before update on ledger_posting
begin select raise(abort, 'a posting is never changed'); end;
create trigger ledger_posting_is_never_deleted before delete on ledger_posting
begin select raise(abort, 'a posting is never deleted'); end;

create trigger ledger_balance_is_never_deleted before delete on ledger_balance
begin select raise(abort, 'a balance is never deleted'); end;

-- Each grant of credit is a lot with a ledger account of its own: what is left of it is that account's balance, and there is
-- no second number that could drift. `exhausted` only keeps spent lots out of the search, and a trigger sets it.
-- `tx_seq` is the transaction that opened it, and tells which of two lots of one moment is the older.
create table credit_lot (
  id text primary key,
  workspace_id text not null,
  account_id text not null unique references ledger_account (id),
  tx_seq integer not null unique references ledger_tx (seq),
  kind text not null check (kind in ('signup', 'adjustment', 'purchase', 'refund')),
  category text not null check (category in ('promotional', 'paid')),
  priority integer not null default 50 check (priority between 0 and 100),
  original_micro integer not null check (original_micro > 0),
  effective_at integer not null,
  expires_at integer,
  exhausted integer not null default 0 check (exhausted in (0, 1))
) strict;
-- The burn order, so that the next lot to burn is the first row: never expiring is last, 'promotional' is before 'paid'.
create index credit_lot_burns
  on credit_lot (workspace_id, priority, coalesce(expires_at, 9223372036854775807), category desc, effective_at, tx_seq)
  where exhausted = 0;
create index credit_lot_due on credit_lot (expires_at) where exhausted = 0 and expires_at is not null;

create trigger credit_lot_is_never_changed
  before update of id, workspace_id, account_id, tx_seq, kind, category, priority, original_micro, effective_at, expires_at
  on credit_lot
begin select raise(abort, 'a lot is never changed'); end;
create trigger credit_lot_is_never_deleted before delete on credit_lot
begin select raise(abort, 'a lot is never deleted'); end;
create trigger credit_lot_is_new before insert on credit_lot
  when exists (select 1 from credit_lot where id = new.id or account_id = new.account_id or tx_seq = new.tx_seq)
begin select raise(abort, 'a lot is never replaced'); end;
create trigger credit_lot_is_exhausted_at_zero after update of balance_micro on ledger_balance
  when (old.balance_micro = 0) <> (new.balance_micro = 0)
begin
  update credit_lot set exhausted = (new.balance_micro = 0) where account_id = new.account_id;
end;

-- What a person sees: one line per transaction, with the balance after it. A line is what its transaction did to the
-- wallet, and continues the line before. Its words may be taken back (they can be about a person); its numbers never.
create table statement_line (
  seq integer primary key,
  tx_id text not null unique references ledger_tx (id),
  workspace_id text not null,
  at integer not null,
  kind text not null,
  details text not null check (length(details) <= 500),
  amount_micro integer not null,
  balance_after_micro integer not null check (balance_after_micro between -1000000000000000 and 1000000000000000)
) strict;
-- With the time inside, so that lines outside the days asked for are passed over without being read.
create index statement_line_of_workspace on statement_line (workspace_id, seq, at);

create trigger statement_line_adds_up before insert on statement_line
begin
  select raise(abort, 'a statement line belongs to a sealed transaction')
  where not exists (
    select 1 from ledger_tx
    where id = new.tx_id and seq = new.seq and workspace_id = new.workspace_id and kind = new.kind and sealed = 1);
  select raise(abort, 'a statement line is never replaced')
  where exists (select 1 from statement_line where seq = new.seq);
  select raise(abort, 'a statement line is what its transaction did to the wallet')
  where new.amount_micro <> -coalesce((
    select sum(amount_micro)
    from ledger_posting join ledger_account on ledger_account.id = ledger_posting.account_id
    where tx_id = new.tx_id and ledger_account.workspace_id is not null), 0);
  select raise(abort, 'a statement line continues the line before it')
  where new.balance_after_micro <> new.amount_micro + coalesce((
    select balance_after_micro from statement_line
    where workspace_id = new.workspace_id order by seq desc limit 1), 0);
end;
create trigger statement_line_is_never_changed
  before update of seq, tx_id, workspace_id, at, kind, amount_micro, balance_after_micro on statement_line
begin select raise(abort, 'a statement line is never changed'); end;
create trigger statement_line_words_only_go before update of details on statement_line when new.details <> ''
begin select raise(abort, 'the words of a statement line can be taken back, not changed'); end;
create trigger statement_line_is_never_deleted before delete on statement_line
begin select raise(abort, 'a statement line is never deleted'); end;
