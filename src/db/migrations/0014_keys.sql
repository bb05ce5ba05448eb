-- The life and the limits of keys. What is personal is erased with the person; the rows of a key stay as long as the key's.
--
-- `state` is what somebody decided; that a key's time is over follows from `expires_at` and `retire_at` at the moment it is
-- asked. `state_before` is where a quarantined key goes back to. `ended_as` says why a revoked one ended. `networks` are
-- CIDR blocks with spaces between; empty: from anywhere. `spent_until` is set when the budget is spent: refused until then.
-- `sealed` is the key's text where the site lets owners see it again, and null where it is shown once. A key that was made
-- by rotating another names it in `predecessor_id`; all of one line share `family_id`, and with it one budget.
-- SQLite cannot change a check, so the table is made anew.
create table api_key_new (
  id text primary key,
  workspace_id text not null references workspace (id),
  account_id text not null references account (id),
  name text not null,
  display text not null,
  lookup blob not null unique check (length(lookup) = 32),
  pepper_id integer not null,
  sealed blob,
  scopes text not null,
  state text not null check (state in ('active', 'retiring', 'disabled', 'quarantined', 'revoked')),
  state_before text check (state_before in ('active', 'retiring', 'disabled')),
  state_at integer not null,
  ended_as text check (ended_as in ('asked', 'rotated', 'exposed')),
  created_at integer not null,
  expires_at integer,
  retire_at integer,
  revoked_at integer,
  predecessor_id text,
  family_id text not null,
  networks text not null default '',
  rate_per_minute integer check (rate_per_minute between 1 and 1000000),
  budget_micro integer check (budget_micro > 0),
  budget_period text check (budget_period in ('month', 'total')),
  spent_until integer,
  check ((state = 'quarantined') = (state_before is not null)),
  check ((state = 'revoked') = (revoked_at is not null)),
  check ((budget_micro is null) = (budget_period is null)),
  check (state <> 'revoked' or sealed is null)
) strict;
insert into api_key_new (id, workspace_id, account_id, name, display, lookup, pepper_id, scopes, state, state_at, ended_as,
                         created_at, expires_at, revoked_at, family_id)
select id, workspace_id, account_id, name, display, lookup, pepper_id, scopes, state, coalesce(revoked_at, created_at),
       case state when 'revoked' then 'asked' end, created_at, expires_at, revoked_at, id
from api_key;

-- When, from where and by which program a key was last used.
create table api_key_use_new (
  key_id text primary key references api_key_new (id),
  last_used_at integer not null,
  uses integer not null,
  last_address text not null default '',
  last_agent text not null default ''
) strict;
insert into api_key_use_new (key_id, last_used_at, uses) select key_id, last_used_at, uses from api_key_use;
drop table api_key_use;
drop table api_key;
alter table api_key_new rename to api_key;
alter table api_key_use_new rename to api_key_use;

create index api_key_of_workspace on api_key (workspace_id, id);
create index api_key_of_account on api_key (account_id);
create index api_key_of_family on api_key (family_id);
-- A key has at most one successor.
create unique index api_key_successor on api_key (predecessor_id) where predecessor_id is not null;
create index api_key_ending on api_key (expires_at) where state = 'active';
create index api_key_retiring on api_key (retire_at) where state = 'retiring';
create index api_key_quarantined on api_key (state_at) where state = 'quarantined';
create index api_key_rotated on api_key (revoked_at) where ended_as = 'rotated';
create index api_key_sealed on api_key (id) where sealed is not null;

-- Uses a day (since 1970) and door, for the picture of the last weeks; 400 days are kept.
create table api_key_use_day (
  key_id text not null references api_key (id),
  day integer not null,
  door text not null check (door in ('api', 'introspect', 'forward_auth', 'token')),
  uses integer not null,
  primary key (key_id, day, door)
) strict, without rowid;
create index api_key_use_day_old on api_key_use_day (day);

-- On which day somebody last asked whether the key has a right: what is never asked for, the key need not have.
create table api_key_right_use (
  key_id text not null references api_key (id),
  right_name text not null,
  last_day integer not null,
  primary key (key_id, right_name)
) strict, without rowid;

-- Who still calls with a key that is being replaced.
create table api_key_caller (
  key_id text not null references api_key (id),
  address text not null,
  agent text not null,
  first_at integer not null,
  last_at integer not null,
  uses integer not null,
  primary key (key_id, address, agent)
) strict, without rowid;

-- What was written to somebody about a key, so that it is written once.
create table api_key_notice (
  key_id text not null references api_key (id),
  kind text not null check (kind in ('ends_30', 'ends_7', 'ends_1', 'late_use', 'late_today', 'exposed', 'spent')),
  at integer not null,
  primary key (key_id, kind)
) strict, without rowid;

-- What services charged for the use of a line of keys: in a month written 2026-05, and in all under 'total'.
create table api_key_spend (
  family_id text not null,
  period text not null,
  spent_micro integer not null check (spent_micro >= 0),
  primary key (family_id, period)
) strict, without rowid;

-- What the owner of a workspace decided about its keys.
create table api_key_policy (
  workspace_id text primary key references workspace (id),
  max_life_days integer not null check (max_life_days between 1 and 3653),
  changed_at integer not null
) strict;

-- The keys of the keyring that new digests and ciphertexts are made with: the newest that a server started with. A keyring
-- without them is too old for this database.
create table keyring_in_use (
  id integer primary key check (id = 1),
  pepper_id integer not null,
  data_key_id integer not null,
  since integer not null
) strict;
