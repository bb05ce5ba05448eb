-- What people say about themselves and how they want things.
--
-- `skeleton` is the username with letters that look alike made equal (0 and o, 1 and l and i, rn and m, vv and w): nobody
-- gets a name that only looks like another one. `colour` stands behind the initials of somebody without a picture.
alter table account add column skeleton text not null default '';
update account set skeleton =
  replace(replace(replace(replace(replace(lower(username), '0', 'o'), '1', 'l'), 'i', 'l'), 'm', 'rn'), 'w', 'vv');
create index account_skeleton on account (skeleton);
alter table account add column colour text not null default 'teal'
  check (colour in ('teal', 'blue', 'violet', 'plum', 'rose', 'amber', 'olive', 'slate'));

-- A change of the primary address. Until `revert_until` the address before it can undo it with a one-time link (whose
-- `about` is this id), and cannot be removed; `since` is when the new address was added, so that the undoing closes what
-- was opened with it.
create table email_change (
  id text primary key,
  account_id text not null references account (id),
  from_id text not null,
  to_id text not null,
  since integer not null,
  changed_at integer not null,
  revert_until integer not null,
  closed_at integer
) strict;
create index email_change_of_account on email_change (account_id);
create index email_change_old on email_change (revert_until);

-- Codes that an account had sent to addresses it added, since `counted_from`: removing an address and adding it again is no
-- way to fill somebody's mailbox.
create table email_code_count (
  account_id text primary key references account (id),
  counted_from integer not null,
  sent_count integer not null
) strict;

-- Where else people can be found. The value is a name, an id or an address, in the form of its platform.
create table profile_link (
  account_id text not null references account (id),
  platform text not null check (
    platform in ('github', 'linkedin', 'x', 'youtube', 'scholar', 'discord', 'website')),
  value text not null,
  primary key (account_id, platform)
) strict;

-- Pictures of people, written anew by us in three sizes. `name` is a keyed hash of the owner and the content: another
-- picture has another address, and nobody can try whether a picture they have is here.
create table picture (
  account_id text primary key references account (id),
  name text not null unique,
  media text not null check (media in ('image/jpeg', 'image/png')),
  large blob not null,
  medium blob not null,
  small blob not null,
  uploaded_at integer not null
) strict;

-- How a person wants things. No row: as the house has it. What must be told (the account, billing, security) is no choice
-- and has no column.
create table preference (
  account_id text primary key references account (id),
  theme text not null check (theme in ('system', 'light', 'dark')),
  language text not null,
  time_zone text not null,
  is_mailed_key_reminders integer not null check (is_mailed_key_reminders in (0, 1)),
  is_mailed_usage integer not null check (is_mailed_usage in (0, 1)),
  updated_at integer not null
) strict;
