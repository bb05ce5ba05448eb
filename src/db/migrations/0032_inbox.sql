-- What services are asked to do. A command is open until its service has acknowledged it or it was cancelled; services read
-- their commands (long poll), or get each as a signed webhook. All of it is written in the transaction that causes it.
create table service_command (
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
  ended_at integer,
  outcome text check (outcome in ('done', 'failed', 'cancelled')),
  -- What the service said about it. Empty: nothing.
  detail text not null default '' check (length(detail) <= 1000),
  -- How often it was sent as a webhook; when the next time is due (null: it is not to be sent); when the service took it.
  attempts integer not null default 0 check (attempts >= 0),
  next_at integer check (ended_at is null or next_at is null),
  delivered_at integer,
  check ((ended_at is null) = (outcome is null))
) strict;
create index service_command_open on service_command (service_id, seq) where ended_at is null;
create index service_command_of on service_command (service_id, seq);
create index service_command_due on service_command (service_id, next_at, seq) where next_at is not null;
create index service_command_deadline on service_command (deadline) where ended_at is null and deadline is not null;
create index service_command_failed on service_command (seq) where outcome = 'failed';
create index service_command_ended on service_command (ended_at) where ended_at is not null;
create index service_command_subject on service_command (subject_id) where subject_id is not null;

-- Where a service receives webhooks, and the secret that signs them. During a rotation the previous one signs too.
create table webhook_endpoint (
  service_id text primary key references service (id),
  -- Null: the service reads its inbox.
  url text check (length(url) between 1 and 2048),
  sealed_secret blob not null,
  sealed_previous blob,
  previous_ends_at integer,
  changed_at integer not null,
  -- Since when no webhook was taken. Null: the last one was.
  failing_since integer,
  -- When the service answered 410, which ends its webhooks until an address is set. Null: it did not.
  gone_at integer,
  check ((sealed_previous is null) = (previous_ends_at is null))
) strict;

-- One attempt to send a webhook.
create table webhook_delivery (
  id integer primary key,
  command_id text not null references service_command (id) on delete cascade,
  at integer not null,
  duration_ms integer not null check (duration_ms >= 0),
  -- The HTTP status. Null: there was no answer.
  status integer check (status between 100 and 999),
  -- The beginning of the answer, without what a page must not show. Empty: it had no text.
  answer text not null check (length(answer) <= 1000),
  -- Why there was no answer, or why it does not count. Null: the webhook was taken.
  failure text check (length(failure) between 1 and 1000)
) strict;
create index webhook_delivery_of on webhook_delivery (command_id, id);
