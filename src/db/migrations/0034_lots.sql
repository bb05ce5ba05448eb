-- All kinds of credit, and what takes credit back. SQLite cannot change a check, so the two tables with a list of kinds are made
-- anew; their rows, triggers and numbers stay as they are. Triggers of other tables read them, so the renames must not look for
-- the dropped tables there.
pragma legacy_alter_table = on;

-- `reverses_tx_id`: the transaction that this one takes back, in whole or in part. It was unique, but a charge can be refunded in
-- several parts; and its index had an entry for each transaction that reverses nothing.
create table new_ledger_tx (
  id text primary key,
  seq integer not null unique,
  kind text not null check (kind in (
    'signup', 'company', 'monthly', 'promo', 'referral', 'purchase', 'auto_topup', 'voucher', 'adjustment', 'usage', 'expired',
    'refund', 'payment_refund', 'dispute', 'dispute_won', 'write_off', 'repayment', 'subscription')),
  workspace_id text not null,
  posted_at integer not null,
  idem_key text not null unique,
  digest blob not null check (length(digest) = 32),
  actor_kind text not null,
  actor_id text,
  key_id text,
  reverses_tx_id text references ledger_tx (id),
  sealed integer not null default 0 check (sealed in (0, 1))
) strict;
insert into new_ledger_tx
  select id, seq, kind, workspace_id, posted_at, idem_key, digest, actor_kind, actor_id, key_id, reverses_tx_id, sealed
  from ledger_tx order by seq;
drop table ledger_tx;
alter table new_ledger_tx rename to ledger_tx;
create index ledger_tx_reverses on ledger_tx (reverses_tx_id) where reverses_tx_id is not null;

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

-- One transaction may open several lots: a refund of credit that expired meanwhile, promotional and paid.
create table new_credit_lot (
  id text primary key,
  workspace_id text not null,
  account_id text not null unique references ledger_account (id),
  tx_seq integer not null references ledger_tx (seq),
  kind text not null check (kind in (
    'signup', 'company', 'monthly', 'promo', 'referral', 'purchase', 'auto_topup', 'voucher', 'adjustment', 'refund')),
  category text not null check (category in ('promotional', 'paid')),
  priority integer not null default 50 check (priority between 0 and 100),
  original_micro integer not null check (original_micro > 0),
  effective_at integer not null,
  expires_at integer,
  exhausted integer not null default 0 check (exhausted in (0, 1))
) strict;
insert into new_credit_lot
  select id, workspace_id, account_id, tx_seq, kind, category, priority, original_micro, effective_at, expires_at, exhausted
  from credit_lot order by tx_seq;
drop table credit_lot;
alter table new_credit_lot rename to credit_lot;
-- The burn order, so that the next lot to burn is the first row: never expiring is last, 'promotional' is before 'paid'.
create index credit_lot_burns
  on credit_lot (workspace_id, priority, coalesce(expires_at, 9223372036854775807), category desc, effective_at, tx_seq)
  where exhausted = 0;
create index credit_lot_opened on credit_lot (tx_seq);
create index credit_lot_due on credit_lot (expires_at) where exhausted = 0 and expires_at is not null;

create trigger credit_lot_is_never_changed
  before update of id, workspace_id, account_id, tx_seq, kind, category, priority, original_micro, effective_at, expires_at
  on credit_lot
begin select raise(abort, 'a lot is never changed'); end;
create trigger credit_lot_is_never_deleted before delete on credit_lot
begin select raise(abort, 'a lot is never deleted'); end;
create trigger credit_lot_is_new before insert on credit_lot
  when exists (select 1 from credit_lot where id = new.id or account_id = new.account_id)
begin select raise(abort, 'a lot is never replaced'); end;

-- When the last of the usage of a line happened, if it was posted later. Null: when it was posted.
alter table statement_line add column occurred_at integer;
-- What was used, by the category of its price. Null: it is no usage, or was posted before.
alter table statement_line add column category text check (category in ('training', 'deployment', 'annotation'));
drop trigger statement_line_is_never_changed;
create trigger statement_line_is_never_changed
  before update of seq, tx_id, workspace_id, at, kind, amount_micro, balance_after_micro, occurred_at, category on statement_line
begin select raise(abort, 'a statement line is never changed'); end;
