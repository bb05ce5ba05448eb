-- Restore drills: a published snapshot was restored and used in a folder of its own, and what came of it. The newest
-- hundred.
create table restore_drill (
  id integer primary key check (id > 0),
  finished_at integer not null,
  -- When the snapshot was made. Null: it could not be read.
  snapshot_made_at integer,
  is_good integer not null check (is_good in (0, 1)),
  -- One sentence for operators, without personal data.
  result text not null check (length(result) between 1 and 2000),
  duration_ms integer not null check (duration_ms >= 0)
) strict;

-- Copies of the keyring that were made for a safe place, or the decision to make none. The keyring is named by its
-- fingerprint, which a rotation changes.
create table keyring_escrow (
  id integer primary key check (id > 0),
  fingerprint text not null check (length(fingerprint) = 16),
  kind text not null check (kind in ('exported', 'waived')),
  at integer not null,
  -- Why no copy is made. Empty for an export.
  reason text not null check (length(reason) <= 500 and (kind = 'exported') = (reason = ''))
) strict;
