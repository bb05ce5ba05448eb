-- People as other providers know them. An identity is an issuer and its subject, never an address: addresses change hands.
-- `label` is what the provider calls the person, for the list of connected accounts.
create table identity (
  id text primary key,
  account_id text not null references account (id),
  provider text not null,
  issuer text not null,
  subject text not null,
  label text not null,
  email text,
  linked_at integer not null,
  last_used_at integer not null,
  unique (issuer, subject)
) strict;
create index identity_of_account on identity (account_id);

-- Ways to a provider and back, ten minutes each, and each once. `digest` is that of the state in the address, `binder` that
-- of the browser's cookie; `sealed` holds nonce, PKCE verifier and where to go on. `posted` is an answer that came as a form
-- from another site, where no cookie comes along: it waits a minute for the browser. `found` is who came back, while a new
-- person chooses a username or a known one signs in to connect.
create table oauth_flow (
  digest blob primary key check (length(digest) = 32),
  provider text not null,
  purpose text not null check (purpose in ('sign_in', 'connect', 'step_up')),
  binder blob not null check (length(binder) = 32),
  sealed blob not null,
  account_id text references account (id),
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  posted blob,
  posted_until integer,
  found blob
) strict;
create index oauth_flow_old on oauth_flow (expires_at);
create index oauth_flow_of_browser on oauth_flow (binder) where found is not null;
create index oauth_flow_of_account on oauth_flow (account_id) where account_id is not null;
