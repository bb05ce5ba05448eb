-- Browser sessions. The cookie's value is not here, only its SHA-256: 256 random bits need no salt. Both ends are stored,
-- so a changed setting does not lengthen a session that exists.
create table session (
  id text primary key,
  digest blob not null unique check (length(digest) = 32),
  account_id text not null references account (id),
  created_at integer not null,
  last_seen_at integer not null,
  idle_seconds integer not null check (idle_seconds > 0),
  ends_at integer not null,
  proved_at integer not null,
  address text not null,
  agent text not null
) strict;
create index session_of_account on session (account_id);
create index session_end on session (ends_at);

-- Failed proofs, per bucket (an account, a typed name): how many in a row, and until when nobody tries again.
create table throttle (
  bucket blob primary key,
  failures integer not null,
  until integer not null,
  updated_at integer not null
) strict;
create index throttle_old on throttle (updated_at);
