-- People. `account` is pending until its first address is verified and lives 24 hours in that state. The e-mail address is
-- never a key: it is a row of its own, unique among verified addresses only, so that nobody can block an address by
-- signing up with it.
create table account (
  id text primary key,
  username text not null collate nocase unique,
  display_name text not null,
  company text not null default '',
  use_case text not null default '',
  bio text not null default '',
  region text not null,
  state text not null check (state in ('pending', 'active', 'suspended')),
  is_operator integer not null default 0 check (is_operator in (0, 1)),
  created_at integer not null
) strict;
create index account_pending on account (created_at) where state = 'pending';

create table account_email (
  id text primary key,
  account_id text not null references account (id),
  address text not null,
  folded text not null,
  verified_at integer,
  is_primary integer not null check (is_primary in (0, 1)),
  added_at integer not null
) strict;
create unique index account_email_verified on account_email (folded) where verified_at is not null;
create unique index account_email_primary on account_email (account_id) where is_primary = 1;
create index account_email_of_account on account_email (account_id);
create index account_email_folded on account_email (folded);

-- Six-digit codes, kept as a keyed digest, ten minutes, five tries. The row outlives its code by an hour, because it also
-- counts the codes sent since `counted_from`: a guesser gets few of them.
create table email_code (
  email_id text primary key references account_email (id),
  digest blob not null,
  tries integer not null default 0,
  sent_at integer not null,
  expires_at integer not null,
  counted_from integer not null,
  sent_count integer not null default 1
) strict;
create index email_code_old on email_code (sent_at);

create table password (
  account_id text primary key references account (id),
  phc text not null,
  changed_at integer not null
) strict;

-- One-time links: set a first or new password; become the first operator. Only the digest is kept.
create table one_time_link (
  digest blob primary key,
  purpose text not null check (purpose in ('password_reset', 'operator_claim')),
  account_id text references account (id),
  created_at integer not null,
  expires_at integer not null,
  used_at integer
) strict;
create index one_time_link_of_account on one_time_link (account_id);
create index one_time_link_old on one_time_link (expires_at);

-- Names that nobody gets for a year after their owner left; only a keyed digest, so the name itself is gone.
create table retired_username (
  digest blob primary key,
  until integer not null
) strict;
create index retired_username_old on retired_username (until);

-- The owner of keys, wallet, resources and activity. Everybody has a personal one.
create table workspace (
  id text primary key,
  kind text not null check (kind in ('personal', 'team')),
  slug text not null collate nocase unique,
  name text not null,
  plan text not null default 'free',
  region text not null,
  owner_id text not null references account (id),
  state text not null check (state in ('active')),
  created_at integer not null
) strict;
create index workspace_of_owner on workspace (owner_id);

create table membership (
  workspace_id text not null references workspace (id),
  account_id text not null references account (id),
  role text not null check (role in ('viewer', 'editor', 'admin', 'owner')),
  joined_at integer not null,
  primary key (workspace_id, account_id)
) strict;
create index membership_of_account on membership (account_id);
create unique index membership_owner on membership (workspace_id) where role = 'owner';
