-- A snapshot says more of itself: up to which transaction of the ledger it goes, so that the next one is verified from
-- there, and a digest that names exactly one version of each of its pages, so that a mixture of two snapshots is found
-- although all of its pages are authentic. Snapshots made before have none.
alter table snapshot_stamp add column ledger_seq integer not null default 0;
alter table snapshot_stamp add column codes_digest blob;

-- Erasures whose receipt is not final, because files may still contain data of the person: the write-ahead log until it
-- was emptied, the published snapshot until it was replaced. The row is deleted when neither is left. Opaque ids only.
create table erasure_pending (
  receipt_id text primary key check (length(receipt_id) between 1 and 64),
  erased_at integer not null,
  log_emptied integer not null default 0 check (log_emptied in (0, 1)),
  snapshot_replaced integer not null default 0 check (snapshot_replaced in (0, 1))
) strict;
