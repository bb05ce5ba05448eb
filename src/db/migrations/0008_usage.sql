-- Usage as services report it. (source, id) counts once for ever (CloudEvents: source and id together identify an event);
-- `digest` tells a repetition from a contradiction. The price is kept with the event: it is what was charged, whatever the
-- price list says later. `tx_id` is null where the event by itself cost less than what can be charged.
create table usage_event (
  source text not null,
  id text not null,
  service_id text not null,
  workspace_id text not null,
  key_id text,
  sku text not null,
  quantity_micro integer not null check (quantity_micro > 0),
  price_micro integer not null check (price_micro >= 0),
  charge_micro integer not null check (charge_micro >= 0),
  occurred_at integer not null,
  received_at integer not null,
  digest blob not null check (length(digest) = 32),
  tx_id text,
  primary key (source, id)
) strict, without rowid;
create index usage_event_of_workspace on usage_event (workspace_id, occurred_at);

-- What a workspace's use of a priced thing has cost so far, and the part of a micro-credit that is not charged yet, in
-- millionths of it (negative: charged ahead, because it was rounded up). So the sum of all charges is the price of the
-- sum, rounded once, however the use was cut into events and whatever the price was meanwhile.
create table usage_meter (
  workspace_id text not null,
  sku text not null,
  charged_micro integer not null check (charged_micro >= 0),
  rest_pico integer not null check (rest_pico between -500000 and 500000),
  primary key (workspace_id, sku)
) strict, without rowid;
