-- Requests about a person's own data. The passphrase of an export waits sealed in its row until the job has used it. The
-- artifact's id is drawn with the request, so that a job that is repeated writes the same file again.
create table data_request (
  id text primary key,
  account_id text not null,
  artifact_id text not null unique,
  kind text not null check (kind in ('export')),
  state text not null check (state in ('requested', 'running', 'ready', 'failed', 'expired')),
  progress_percent integer not null default 0 check (progress_percent between 0 and 100),
  step text not null default '',
  recipient_kind text not null check (recipient_kind in ('passphrase', 'key')),
  sealed_recipient blob,
  requested_at integer not null,
  finished_at integer,
  problem text
) strict;
create index data_request_of_account on data_request (account_id, requested_at);
create unique index data_request_running on data_request (account_id) where state in ('requested', 'running');

create table export_artifact (
  id text primary key,
  request_id text not null unique references data_request (id),
  account_id text not null,
  file_name text not null,
  bytes integer not null,
  sha256 blob not null,
  ready_at integer not null,
  delete_after integer not null
) strict;
create index export_artifact_old on export_artifact (delete_after);

-- Download links: the digest of a random token, one account, sixty minutes.
create table export_link (
  digest blob primary key,
  artifact_id text not null references export_artifact (id),
  account_id text not null,
  expires_at integer not null
) strict;
create index export_link_old on export_link (expires_at);
create index export_link_of_artifact on export_link (artifact_id);

-- Who was erased: opaque ids only. Mirrored, signed and chained, into tombstones.jsonl beside the snapshot, so that a
-- restored backup can be cleaned again before it is served.
create table tombstone (
  seq integer primary key check (seq > 0),
  subject_id text not null unique,
  kind text not null check (kind in ('erasure')),
  erased_at integer not null,
  receipt_id text not null,
  prev_hash blob not null check (length(prev_hash) = 32),
  hash blob not null check (length(hash) = 32)
) strict;

create trigger tombstone_is_never_changed before update on tombstone
begin select raise(abort, 'a tombstone is never changed'); end;
create trigger tombstone_is_never_deleted before delete on tombstone
begin select raise(abort, 'a tombstone is never deleted'); end;
