-- Second factors. What is checked against is never stored in the clear: the secret of an authenticator app is sealed with
-- a data key of the keyring, recovery codes are keyed look-ups under its pepper, and of a passkey only the public half is
-- here. `last_step` is the newest time step whose code was taken: only a later one is taken again (RFC 6238 section 5.2).
create table totp (
  account_id text primary key references account (id),
  sealed_secret blob not null,
  last_step integer not null,
  confirmed_at integer not null
) strict;

-- A secret that was shown and not confirmed by a code yet. It counts for nothing, and replaces `totp` when it is.
create table totp_setup (
  account_id text primary key references account (id),
  sealed_secret blob not null,
  expires_at integer not null
) strict;
create index totp_setup_old on totp_setup (expires_at);

create table recovery_code (
  lookup blob primary key check (length(lookup) = 32),
  account_id text not null references account (id),
  created_at integer not null,
  used_at integer
) strict;
create index recovery_code_of_account on recovery_code (account_id);

-- The random name by which authenticators know a person (WebAuthn: user handle); it says nothing about them.
create table passkey_handle (
  account_id text primary key references account (id),
  handle blob not null unique check (length(handle) = 16)
) strict;

create table passkey (
  id text primary key,
  account_id text not null references account (id),
  credential_id blob not null unique,
  credential_json text not null,
  name text not null,
  sign_count integer not null,
  is_backed_up integer not null check (is_backed_up in (0, 1)),
  created_at integer not null,
  last_used_at integer
) strict;
create index passkey_of_account on passkey (account_id);

-- Challenges that were given out: five minutes, one answer each, right or wrong.
create table passkey_challenge (
  digest blob primary key check (length(digest) = 32),
  purpose text not null check (purpose in ('add', 'sign_in', 'factor', 'step_up')),
  account_id text references account (id),
  state_json text not null,
  expires_at integer not null
) strict;
create index passkey_challenge_of_account on passkey_challenge (account_id);
create index passkey_challenge_old on passkey_challenge (expires_at);

-- A sign-in that still owes its second factor: ten minutes, a few tries, and it opens nothing. `password_stamp` is a digest
-- of the stored password as it was: when that changes, what was proved with the old one no longer counts.
create table half_session (
  digest blob primary key check (length(digest) = 32),
  account_id text not null references account (id),
  method text not null,
  remember integer not null check (remember in (0, 1)),
  password_stamp blob not null,
  tries integer not null default 0,
  expires_at integer not null
) strict;
create index half_session_of_account on half_session (account_id);
create index half_session_old on half_session (expires_at);

-- A person who lost every factor waits: every address is told, and whoever holds one of them can stop it.
create table factor_reset (
  account_id text primary key references account (id),
  asked_by text not null check (asked_by in ('person', 'operator')),
  asked_at integer not null,
  due_at integer not null
) strict;
create index factor_reset_due on factor_reset (due_at);
