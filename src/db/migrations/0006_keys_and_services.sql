-- API keys. `lookup` is HMAC-SHA-256 of the whole key under the keyring's pepper: a copied database can neither verify nor
-- confirm a key. A revoked key stays as a tombstone for the audit; its look-up digest is replaced, so it matches nothing.
create table api_key (
  id text primary key,
  workspace_id text not null references workspace (id),
  account_id text not null references account (id),
  name text not null,
  display text not null,
  lookup blob not null unique check (length(lookup) = 32),
  pepper_id integer not null,
  scopes text not null,
  state text not null check (state in ('active', 'revoked')),
  created_at integer not null,
  expires_at integer,
  revoked_at integer
) strict;
create index api_key_of_workspace on api_key (workspace_id, id);
create index api_key_of_account on api_key (account_id);

-- When a key was last used: gathered in memory, written once a minute. Apart from `api_key`, so that writing it changes no
-- credential.
create table api_key_use (
  key_id text primary key references api_key (id),
  last_used_at integer not null,
  uses integer not null
) strict;

-- The platform's other programs: who may ask about keys and report usage.
create table service (
  id text primary key,
  name text not null unique,
  lookup blob not null unique check (length(lookup) = 32),
  pepper_id integer not null,
  created_at integer not null
) strict;
