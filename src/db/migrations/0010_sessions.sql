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
