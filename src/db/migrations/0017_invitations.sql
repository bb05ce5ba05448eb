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
