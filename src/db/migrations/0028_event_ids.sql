-- An event is identified by its service, source and id: what another service reports cannot use up a name. Before, source and id
-- were one space for all services, so no two rows can get the same name by this.
create table new_usage_event (
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
  primary key (service_id, source, id)
) strict, without rowid;
insert into new_usage_event
  select source, id, service_id, workspace_id, key_id, sku, quantity_micro, price_micro, charge_micro, occurred_at, received_at,
         digest, tx_id
  from usage_event order by service_id, source, id;
drop table usage_event;
alter table new_usage_event rename to usage_event;
create index usage_event_of_workspace on usage_event (workspace_id, occurred_at);
