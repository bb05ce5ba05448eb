-- Codes that give credit. A voucher was paid for and its code works once; a promo code is given away, and one code works for many
-- people. A batch is what an operator makes at once; of its codes only keyed digests are stored.
create table voucher_batch (
  id text primary key check (length(id) between 1 and 64),
  kind text not null check (kind in ('voucher', 'promo')),
  -- What people read in their statement.
  reason text not null check (length(reason) between 1 and 200),
  amount_micro integer not null check (amount_micro > 0),
  codes integer not null check (codes between 1 and 1000),
  uses_max integer not null check (uses_max between 1 and 1000000),
  uses_per_account integer not null check (uses_per_account between 1 and uses_max),
  -- How long the credit is valid. Null: for ever.
  credit_seconds integer check (credit_seconds > 0),
  created_at integer not null,
  -- Until when codes can be redeemed. Null: for ever.
  expires_at integer,
  revoked_at integer,
  check (kind = 'voucher' and uses_max = 1 or kind = 'promo' and codes = 1)
) strict;

-- The check of `uses` is what makes the last use of a code the last one, also when two people ask at the same moment.
create table voucher_code (
  id text primary key check (length(id) between 1 and 64),
  batch_id text not null references voucher_batch (id) check (length(batch_id) between 1 and 64),
  lookup blob not null unique check (length(lookup) = 32),
  uses_max integer not null,
  uses integer not null default 0 check (uses between 0 and uses_max)
) strict;
create index voucher_code_of_batch on voucher_code (batch_id, uses);

-- Who has redeemed what: `n` is counts the uses of the code by this account, from 1.
create table voucher_redemption (
  code_id text not null references voucher_code (id) check (length(code_id) between 1 and 64),
  account_id text not null check (length(account_id) between 1 and 64),
  n integer not null check (n > 0),
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  tx_id text not null unique references ledger_tx (id) check (length(tx_id) between 1 and 64),
  redeemed_at integer not null,
  primary key (code_id, account_id, n)
) strict, without rowid;
create index voucher_redemption_of_workspace on voucher_redemption (workspace_id, redeemed_at);

create trigger voucher_batch_is_only_revoked
  before update of id, kind, reason, amount_micro, codes, uses_max, uses_per_account, credit_seconds, created_at on voucher_batch
begin select raise(abort, 'a batch of vouchers is only revoked'); end;
create trigger voucher_batch_stays_revoked before update of revoked_at on voucher_batch when old.revoked_at is not null
begin select raise(abort, 'a batch of vouchers stays revoked'); end;
create trigger voucher_batch_is_never_deleted before delete on voucher_batch
begin select raise(abort, 'a batch of vouchers is never deleted'); end;
create trigger voucher_code_is_only_used before update on voucher_code
  when new.id <> old.id or new.batch_id <> old.batch_id or new.lookup <> old.lookup or new.uses_max <> old.uses_max
    or new.uses <> old.uses + 1
begin select raise(abort, 'a code is only used, once at a time'); end;
create trigger voucher_code_is_never_deleted before delete on voucher_code
begin select raise(abort, 'a code is never deleted'); end;
create trigger voucher_redemption_is_never_changed before update on voucher_redemption
begin select raise(abort, 'a redemption is never changed'); end;
create trigger voucher_redemption_is_never_deleted before delete on voucher_redemption
begin select raise(abort, 'a redemption is never deleted'); end;

-- So much credit each calendar month (UTC) for a workspace. `granted_until` is the end of the month that was granted last, so the
-- next grant is due from then on.
create table credit_allowance (
  workspace_id text primary key check (length(workspace_id) between 1 and 64),
  amount_micro integer not null check (amount_micro > 0),
  set_at integer not null,
  granted_until integer not null
) strict, without rowid;
create index credit_allowance_due on credit_allowance (granted_until);
