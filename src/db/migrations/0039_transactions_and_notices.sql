-- People read their transactions by when they happened: when the last of the usage was, or else when they were posted.
create index statement_line_by_event on statement_line (workspace_id, coalesce(occurred_at, at), seq);

-- What share of a month's allowance its owner was mailed about: 0, 50, 80 or 100 %. Each grant sets it back.
alter table credit_allowance add column told_percent integer not null default 0 check (told_percent in (0, 50, 80, 100));

-- Credit whose owner was mailed that it expires, and how many days before.
create table credit_expiry_notice (
  lot_id text primary key check (length(lot_id) between 1 and 64),
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  days integer not null check (days in (1, 7, 30))
) strict, without rowid;
create index credit_expiry_notice_of_workspace on credit_expiry_notice (workspace_id);

-- What the usage of each day (UTC, by when it happened) cost, so that a chart of a year reads a few hundred rows, however many
-- events there were. Written with the events. `key_id` is empty for usage without a key.
create table usage_day (
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  day integer not null,
  service_id text not null check (length(service_id) between 1 and 64),
  sku text not null check (length(sku) between 1 and 1000),
  key_id text not null check (length(key_id) <= 64),
  events integer not null check (events >= 0),
  charge_micro integer not null,
  primary key (workspace_id, day, service_id, sku, key_id)
) strict, without rowid;
insert into usage_day (workspace_id, day, service_id, sku, key_id, events, charge_micro)
  select workspace_id, occurred_at / 86400000, service_id, sku, coalesce(key_id, ''), sum(corrects is null), sum(charge_micro)
  from usage_event
  group by 1, 2, 3, 4, 5;
