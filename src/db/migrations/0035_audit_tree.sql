-- The Merkle tree over the leaves of the audit, up to the newest checkpoint: one row.
create table audit_tree (
  id integer primary key check (id = 1),
  -- The number of leaves, and the epoch whose checkpoint it is.
  size integer not null check (size > 0),
  epoch integer not null check (epoch > 0),
  -- The hashes of its complete subtrees, the largest first.
  roots blob not null check (length(roots) between 32 and 2048 and length(roots) % 32 = 0),
  -- The signed checkpoint.
  note text not null check (length(note) between 100 and 1000),
  made_at integer not null
) strict;
