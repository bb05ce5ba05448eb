-- What ended the access of somebody, and what gave it back: opaque ids only. Mirrored, signed and chained, into
-- tombstones.jsonl beside the snapshot, so that a restored backup neither brings people back nor revives a revoked key.
-- It takes the place of the table of erasures, whose rows keep their numbers and hashes: lines that were signed before
-- stay valid.
create table journal (
  seq integer primary key check (seq > 0),
  kind text not null check (kind in ('erasure', 'revocation', 'reactivation')),
  -- The stored name of the audit event. An erasure has its receipt instead.
  event text check ((event is null) = (kind = 'erasure') and length(event) between 1 and 64),
  target_id text not null check (length(target_id) between 1 and 64),
  account_id text check (kind <> 'erasure' or account_id is null) check (length(account_id) between 1 and 64),
  -- Opaque values that the same change needs when it is made again, for example the id of a removed address.
  detail text check (kind <> 'erasure' or detail is null) check (length(detail) between 1 and 200),
  receipt_id text check ((receipt_id is not null) = (kind = 'erasure') and length(receipt_id) between 1 and 64),
  at integer not null,
  prev_hash blob not null check (length(prev_hash) = 32),
  hash blob not null check (length(hash) = 32)
) strict;

insert into journal (seq, kind, event, target_id, account_id, detail, receipt_id, at, prev_hash, hash)
  select seq, kind, null, subject_id, null, null, receipt_id, erased_at, prev_hash, hash from tombstone;
drop table tombstone;

create unique index journal_erasure on journal (target_id) where kind = 'erasure';
create trigger journal_is_never_changed before update on journal
begin select raise(abort, 'the journal is never changed'); end;
create trigger journal_is_never_deleted before delete on journal
begin select raise(abort, 'the journal is never deleted'); end;

-- Up to which line the journal on the disk was verified, so that a start need not read the lines before it. One row, or
-- none before the first verification.
create table journal_check (
  id integer primary key check (id = 1),
  seq integer not null check (seq >= 0),
  hash blob not null check (length(hash) = 32),
  -- Bytes of the file up to the end of that line.
  end_offset integer not null check (end_offset >= 0),
  -- When all lines were verified the last time.
  whole_at integer not null
) strict;
