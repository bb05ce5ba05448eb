-- An erasure is complete when the services have answered too. Its receipt stays: opaque ids, times, and closed lists of words.
create table erasure (
  receipt_id text primary key check (length(receipt_id) between 1 and 64),
  account_id text not null check (length(account_id) between 1 and 64),
  -- Null: it was erased before receipts were kept, or by a restore that did not have it.
  workspace_id text check (length(workspace_id) between 1 and 64),
  erased_at integer not null,
  -- When a snapshot without the person replaced the published one. Null: not yet, or before receipts were kept.
  snapshot_replaced_at integer,
  -- When the last copy of the database from before the erasure is deleted (see `before-…` in the data folder). Null: there was none.
  copies_until integer,
  final_at integer
) strict, without rowid;
create index erasure_newest on erasure (erased_at, receipt_id);
create index erasure_open on erasure (erased_at, receipt_id) where final_at is null;

insert into erasure (receipt_id, account_id, erased_at, final_at)
  select j.receipt_id, j.target_id, j.at, iif(p.receipt_id is null, j.at, null)
  from journal j left join erasure_pending p on p.receipt_id = j.receipt_id
  where j.kind = 'erasure';

-- What each service says about an erasure. Whether it was asked, and until when, is in its command.
create table erasure_service (
  receipt_id text not null references erasure (receipt_id) check (length(receipt_id) between 1 and 64),
  service_id text not null references service (id) check (length(service_id) between 1 and 64),
  requested_at integer not null,
  -- The newest command. Null: the service was disconnected before, so it could not be asked.
  command_id text check (length(command_id) between 1 and 64),
  -- Null: it has not answered.
  answer text check (answer in ('completed', 'retained', 'rejected', 'failed', 'attested')),
  answered_at integer check ((answered_at is null) = (answer is null)),
  basis text check (basis in ('legal_obligation', 'legal_claims', 'public_health', 'archiving', 'free_expression')),
  retained_until integer,
  primary key (receipt_id, service_id),
  check ((basis is not null) = (answer is not null and answer = 'retained')),
  check ((retained_until is null) = (basis is null))
) strict, without rowid;
create index erasure_service_command on erasure_service (command_id) where command_id is not null;

-- A service can say that it began, that a law lets it keep something, and that it refuses. SQLite cannot change a check, so the
-- table is made anew.
create table new_service_command (
  id text primary key check (length(id) between 1 and 64),
  -- The position in the inbox. It grows with the time in milliseconds, so that a restored backup gives no number again.
  seq integer not null unique check (seq > 0),
  service_id text not null references service (id),
  kind text not null check (length(kind) between 1 and 64),
  workspace_id text check (length(workspace_id) between 1 and 64),
  -- The person whom the command is about. Null: it is about no person, or only about a workspace.
  subject_id text check (length(subject_id) between 1 and 64),
  payload_json text not null check (length(payload_json) between 2 and 65536),
  created_at integer not null,
  -- Until when the service has to acknowledge. Null: it need not.
  deadline integer,
  -- When the service said that it began. Null: it did not.
  accepted_at integer,
  ended_at integer,
  outcome text check (outcome in ('done', 'retained', 'rejected', 'failed', 'cancelled')),
  -- What the service said about it. Empty: nothing.
  detail text not null default '' check (length(detail) <= 1000),
  -- How often it was sent as a webhook; when the next time is due (null: it is not to be sent); when the service took it.
  attempts integer not null default 0 check (attempts >= 0),
  next_at integer check (ended_at is null or next_at is null),
  delivered_at integer,
  check ((ended_at is null) = (outcome is null))
) strict;
insert into new_service_command (
    id, seq, service_id, kind, workspace_id, subject_id, payload_json, created_at, deadline, ended_at, outcome, detail, attempts,
    next_at, delivered_at)
  select id, seq, service_id, kind, workspace_id, subject_id, payload_json, created_at, deadline, ended_at, outcome, detail,
         attempts, next_at, delivered_at
  from service_command order by seq;
drop table service_command;
alter table new_service_command rename to service_command;
create index service_command_open on service_command (service_id, seq) where ended_at is null;
create index service_command_of on service_command (service_id, seq);
create index service_command_due on service_command (service_id, next_at, seq) where next_at is not null;
create index service_command_deadline on service_command (deadline) where ended_at is null and deadline is not null;
create index service_command_failed on service_command (seq) where outcome in ('failed', 'rejected');
create index service_command_ended on service_command (ended_at) where ended_at is not null;
create index service_command_subject on service_command (subject_id) where subject_id is not null;
create index service_command_workspace on service_command (workspace_id) where workspace_id is not null;
