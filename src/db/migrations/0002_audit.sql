-- The audit: a hash chain over commitments. `leaf_hash` covers everything in the row but itself, and `prev_hash` is the
-- leaf before it, so nothing can be changed, dropped or reordered unseen. What is personal (addresses, devices, names)
-- is not in the row: only a salted commitment to it is. The personal part stands in `audit_private`, sealed with a key
-- of its subject; erasing a person deletes that part and the key, and the chain still verifies.
create table audit_event (
  seq integer primary key,
  id text not null unique,
  at integer not null,
  event text not null,
  outcome text not null check (outcome in ('success', 'failure', 'denied')),
  workspace_id text,
  actor_kind text not null check (actor_kind in ('anonymous', 'account', 'api_key', 'service', 'operator', 'system')),
  actor_id text,
  target_id text,
  data_json text not null,
  commitments_json text not null,
  prev_hash blob not null check (length(prev_hash) = 32),
  leaf_hash blob not null check (length(leaf_hash) = 32)
) strict;
create index audit_event_of_workspace on audit_event (workspace_id, seq);
create index audit_event_of_actor on audit_event (actor_id, seq);
create index audit_event_of_target on audit_event (target_id, seq);

create trigger audit_event_is_never_changed before update on audit_event
begin select raise(abort, 'an audit event is never changed'); end;
create trigger audit_event_is_never_deleted before delete on audit_event
begin select raise(abort, 'an audit event is never deleted'); end;

create table audit_private (
  seq integer not null references audit_event (seq),
  part text not null check (part in ('network', 'contact', 'text')),
  subject_id text not null,
  salt blob not null check (length(salt) = 32),
  sealed blob not null,
  primary key (seq, part)
) strict;
create index audit_private_of_subject on audit_private (subject_id, seq);

-- One key per person, itself sealed by the keyring. Destroying it makes every sealed part of that person unreadable
-- here and in every later snapshot. Copies made before still hold it: the erasure journal is what cleans those.
create table subject_key (
  subject_id text primary key,
  sealed_key blob not null,
  created_at integer not null
) strict;
