-- Whether a sign-in was completed with a browser, with every factor. A browser that is known only because a mailed link was
-- opened in it has not: it gets no new guesses at second factors. All browsers of before this schema have signed in, or their
-- person set a new password with them.
alter table device add column has_signed_in integer not null default 1 check (has_signed_in in (0, 1));

-- Links that make a browser known. SQLite cannot change a check, so the table is made anew.
create table one_time_link_new (
  digest blob primary key,
  purpose text not null check (
    purpose in (
      'password_reset', 'operator_claim', 'invitation', 'email_revert', 'not_me', 'factor_reset', 'new_browser')),
  account_id text references account (id),
  about text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer
) strict;
insert into one_time_link_new (digest, purpose, account_id, about, created_at, expires_at, used_at)
select digest, purpose, account_id, about, created_at, expires_at, used_at from one_time_link;
drop table one_time_link;
alter table one_time_link_new rename to one_time_link;
create index one_time_link_of_account on one_time_link (account_id);
create index one_time_link_old on one_time_link (expires_at);
