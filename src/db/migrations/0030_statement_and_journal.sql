-- Transactions are paged by time (src/billing/ledger/statement/store.rs): with this index, a page reads only its own lines,
-- however many a workspace has.
create index statement_line_by_time on statement_line (workspace_id, at, seq);

-- The detail of a line is also the names of all scopes that a key keeps, which can be longer than 200 characters. SQLite cannot
-- change a check, so the table is made anew; its rows keep their numbers and hashes.
create table journal_new (
  seq integer primary key check (seq > 0),
  kind text not null check (kind in ('erasure', 'revocation', 'reactivation')),
  -- The stored name of the audit event. An erasure has its receipt instead.
  event text check ((event is null) = (kind = 'erasure') and length(event) between 1 and 64),
  target_id text not null check (length(target_id) between 1 and 64),
  account_id text check (kind <> 'erasure' or account_id is null) check (length(account_id) between 1 and 64),
  -- Opaque values that the same change needs when it is made again, for example the id of a removed address.
  detail text check (kind <> 'erasure' or detail is null) check (length(detail) between 1 and 20000),
  receipt_id text check ((receipt_id is not null) = (kind = 'erasure') and length(receipt_id) between 1 and 64),
  at integer not null,
  prev_hash blob not null check (length(prev_hash) = 32),
  hash blob not null check (length(hash) = 32)
) strict;
insert into journal_new (seq, kind, event, target_id, account_id, detail, receipt_id, at, prev_hash, hash)
  select seq, kind, event, target_id, account_id, detail, receipt_id, at, prev_hash, hash from journal;
drop table journal;
alter table journal_new rename to journal;
create unique index journal_erasure on journal (target_id) where kind = 'erasure';
create trigger journal_is_never_changed before update on journal
begin select raise(abort, 'the journal is never changed'); end;
create trigger journal_is_never_deleted before delete on journal
begin select raise(abort, 'the journal is never deleted'); end;
