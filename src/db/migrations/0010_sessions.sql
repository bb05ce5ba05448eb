-- How the person of a session proved who they are, and whether their browser keeps its cookie when it is closed.
alter table session add column method text not null default '';
alter table session add column remembered integer not null default 0 check (remembered in (0, 1));

-- One-time links for more than a password: `about` says what one is about, such as a session or an address change; its
-- meaning is the purpose's. SQLite cannot change a check, so the table is made anew.
create table one_time_link_new (
  digest blob primary key,
  purpose text not null check (
    purpose in ('password_reset', 'operator_claim', 'invitation', 'email_revert', 'not_me', 'factor_reset')),
  account_id text references account (id),
  about text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer
) strict;
insert into one_time_link_new (digest, purpose, account_id, created_at, expires_at, used_at)
select digest, purpose, account_id, created_at, expires_at, used_at from one_time_link;
drop table one_time_link;
alter table one_time_link_new rename to one_time_link;
create index one_time_link_of_account on one_time_link (account_id);
create index one_time_link_old on one_time_link (expires_at);

-- The cookie of a long session gets a new value every day. The old one is good for another minute, for requests that were
-- under way; who shows it later has a copy, and the session ends. Rows go with their session.
alter table session add column rotated_at integer not null default 0;
create table session_rotated (
  digest blob primary key check (length(digest) = 32),
  session_id text not null references session (id) on delete cascade,
  until integer not null
) strict;
create index session_rotated_of_session on session_rotated (session_id);

-- Browsers that somebody signed in with: a keyed digest of account and cookie, so that nobody sees that two people share one.
-- One that its person no longer trusts stays, so that the next sign-in counts as news.
create table device (
  digest blob primary key check (length(digest) = 32),
  account_id text not null references account (id),
  first_seen_at integer not null,
  last_seen_at integer not null,
  is_trusted integer not null default 1 check (is_trusted in (0, 1))
) strict;
create index device_of_account on device (account_id, last_seen_at);
create index device_old on device (last_seen_at);

-- Since when the person's API keys are refused, because they said that a sign-in was not theirs. Null: they are not. A new
-- password gives them back.
alter table account add column keys_locked_at integer;
