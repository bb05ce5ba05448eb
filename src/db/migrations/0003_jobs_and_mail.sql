-- Work to be done later: enqueued inside the transaction that causes it, claimed by the runner, tried again with growing
-- pauses, given up with a reason. `unique_key` keeps a thing from being queued twice while it waits.
create table job (
  id text primary key,
  name text not null,
  payload_json text not null,
  subject_id text,
  unique_key text,
  state text not null check (state in ('queued', 'running', 'done', 'failed')),
  run_at integer not null,
  attempts integer not null default 0,
  last_error text,
  created_at integer not null,
  finished_at integer
) strict;
create index job_due on job (run_at) where state = 'queued';
create index job_running on job (run_at) where state = 'running';
create index job_of_subject on job (subject_id) where subject_id is not null;
create unique index job_once on job (unique_key) where unique_key is not null and state in ('queued', 'running');

-- Mail on its way. A row is written by the operation that causes the mail, in its transaction; sending happens later and
-- at least once. Mails that are done with, sent or given up, are kept a week without their words for the operator's
-- questions, then deleted; those marked `forget_when_sent` (the last mail to somebody who left) go at once.
create table mail_outbox (
  id text primary key,
  account_id text,
  recipient text not null,
  subject text not null,
  body_text text not null,
  body_html text not null,
  created_at integer not null,
  next_at integer not null,
  attempts integer not null default 0,
  last_error text,
  sent_at integer,
  given_up_at integer,
  forget_when_sent integer not null default 0 check (forget_when_sent in (0, 1))
) strict;
create index mail_due on mail_outbox (next_at) where sent_at is null and given_up_at is null;
create index mail_of_account on mail_outbox (account_id);
create index mail_done on mail_outbox (sent_at) where sent_at is not null;

-- Answers kept for repeated requests with the same Idempotency-Key (48 hours). `actor_id` scopes the key to its sender.
create table kept_answer (
  actor_id text not null,
  route text not null,
  key text not null,
  request_hash blob not null,
  status integer not null,
  body text not null,
  expires_at integer not null,
  primary key (actor_id, route, key)
) strict;
create index kept_answer_expired on kept_answer (expires_at);
