-- How the person of a session proved who they are.
alter table session add column method text not null default '';

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

-- Who was invited and has not come yet. The link's secret is not here, only its SHA-256. An address is invited once: a new
-- invitation takes the place of the one before it. The row goes when the invitation is taken, withdrawn or two weeks old.
create table invitation (
  id text primary key,
  digest blob not null unique check (length(digest) = 32),
  address text not null,
  folded text not null unique,
  is_operator integer not null check (is_operator in (0, 1)),
  created_at integer not null,
  expires_at integer not null
) strict;
create index invitation_old on invitation (expires_at);
