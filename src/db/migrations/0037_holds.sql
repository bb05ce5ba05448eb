-- Credit that is reserved for usage that has not happened yet, in the lots that would burn next. What is reserved in a lot lowers
-- the upper bound of its account: the balance of a lot is at most zero, and with 3.00 reserved at most -3.00. So the check of
-- `ledger_balance` refuses both to reserve what is not there and to spend what is reserved, and a posting costs nothing more.
create table credit_hold (
  id text primary key check (length(id) between 1 and 64),
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  -- The family of the key whose budget is reserved too.
  family_id text check (length(family_id) between 1 and 64),
  amount_micro integer not null check (amount_micro > 0),
  captured_micro integer not null default 0 check (captured_micro between 0 and amount_micro),
  state text not null default 'active' check (state in ('active', 'settled', 'released', 'expired')),
  created_at integer not null,
  expires_at integer not null,
  closed_at integer check ((closed_at is null) = (state = 'active'))
) strict;
create index credit_hold_of_workspace on credit_hold (workspace_id, state, expires_at);
create index credit_hold_due on credit_hold (expires_at) where state = 'active';

-- What is still reserved in each lot, in burn order.
create table credit_hold_lot (
  hold_id text not null references credit_hold (id) check (length(hold_id) between 1 and 64),
  n integer not null,
  lot_id text not null references credit_lot (id) check (length(lot_id) between 1 and 64),
  reserved_micro integer not null check (reserved_micro >= 0),
  primary key (hold_id, n)
) strict, without rowid;
create index credit_hold_lot_of_lot on credit_hold_lot (lot_id, reserved_micro) where reserved_micro > 0;

create trigger credit_hold_is_never_reopened before update on credit_hold
  when new.id <> old.id or new.workspace_id <> old.workspace_id or new.family_id is not old.family_id
    or new.amount_micro <> old.amount_micro or new.captured_micro < old.captured_micro
    -- Its end moves with a clock that is set back.
    or (old.state <> 'active' and (new.state <> old.state or new.captured_micro <> old.captured_micro
      or new.closed_at is not old.closed_at))
begin select raise(abort, 'a hold is captured and closed, and nothing else'); end;
create trigger credit_hold_reserves_nothing_when_closed before update of state on credit_hold
  when new.state <> 'active'
    and exists (select 1 from credit_hold_lot where hold_id = new.id and reserved_micro > 0)
begin select raise(abort, 'a closed hold reserves nothing'); end;
create trigger credit_hold_is_never_deleted before delete on credit_hold
begin select raise(abort, 'a hold is never deleted'); end;
create trigger credit_hold_is_new before insert on credit_hold
  when exists (select 1 from credit_hold where id = new.id)
begin select raise(abort, 'a hold is never replaced'); end;

create trigger credit_hold_lot_is_of_the_wallet before insert on credit_hold_lot
begin
  select raise(abort, 'a hold reserves credit of its own wallet, and only while it is active')
  where not exists (
    select 1 from credit_hold h join credit_lot l on l.workspace_id = h.workspace_id
    where h.id = new.hold_id and h.state = 'active' and l.id = new.lot_id);
  select raise(abort, 'what a hold reserves is never replaced')
  where exists (select 1 from credit_hold_lot where hold_id = new.hold_id and n = new.n);
end;
create trigger credit_hold_lot_reserves after insert on credit_hold_lot
begin
  update ledger_balance set high_micro = high_micro - new.reserved_micro
  where account_id = (select account_id from credit_lot where id = new.lot_id);
end;
create trigger credit_hold_lot_only_shrinks before update on credit_hold_lot
  when new.hold_id <> old.hold_id or new.n <> old.n or new.lot_id <> old.lot_id or new.reserved_micro > old.reserved_micro
begin select raise(abort, 'a hold only gives back what it reserved'); end;
create trigger credit_hold_lot_gives_back after update of reserved_micro on credit_hold_lot
begin
  update ledger_balance set high_micro = high_micro + old.reserved_micro - new.reserved_micro
  where account_id = (select account_id from credit_lot where id = new.lot_id);
end;
create trigger credit_hold_lot_is_never_deleted before delete on credit_hold_lot
begin select raise(abort, 'what a hold reserved is never deleted'); end;

-- What holds reserve of the budget of a family of keys, in all periods: it is spent in the period in which it is captured.
create table api_key_reservation (
  family_id text primary key check (length(family_id) between 1 and 64),
  reserved_micro integer not null check (reserved_micro >= 0)
) strict, without rowid;

-- What a service may charge a workspace for one thing, at the price of the time when it asked. `charged_micro` and `rest_pico` are
-- as in `usage_meter`. Its credit is reserved by the hold with the same id, unless its service only checks.
create table usage_authorization (
  id text primary key check (length(id) between 1 and 64),
  service_id text not null check (length(service_id) between 1 and 64),
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  key_id text check (length(key_id) between 1 and 64),
  sku text not null check (length(sku) between 1 and 1000),
  unit text not null check (length(unit) between 1 and 1000),
  category text not null check (category in ('training', 'deployment', 'annotation')),
  quantity_micro integer not null check (quantity_micro > 0),
  price_micro integer not null check (price_micro >= 0),
  amount_micro integer not null check (amount_micro >= 0),
  charged_micro integer not null default 0 check (charged_micro >= 0),
  rest_pico integer not null default 0 check (rest_pico between -500000 and 500000),
  state text not null default 'open' check (state in ('open', 'settled', 'released')),
  created_at integer not null,
  expires_at integer not null,
  closed_at integer check ((closed_at is null) = (state = 'open'))
) strict;
create index usage_authorization_of_workspace on usage_authorization (workspace_id, created_at);

-- How the authorizations of a service work. Without a row: with holds, without a margin, for a day.
create table usage_policy (
  service_id text primary key check (length(service_id) between 1 and 64),
  mode text not null check (mode in ('hold', 'check')),
  margin_percent integer not null check (margin_percent between 0 and 100),
  hold_seconds integer not null check (hold_seconds between 60 and 31536000)
) strict, without rowid;

-- Usage that is taken back: an event with a quantity below zero that names the first one. SQLite cannot change a check, so the
-- table is made anew. `corrected_micro` of the first event is the quantity that was taken back of it.
create table new_usage_event (
  source text not null,
  id text not null,
  service_id text not null,
  workspace_id text not null,
  key_id text,
  sku text not null,
  quantity_micro integer not null check (quantity_micro <> 0),
  price_micro integer not null check (price_micro >= 0),
  charge_micro integer not null,
  occurred_at integer not null,
  received_at integer not null,
  digest blob not null check (length(digest) = 32),
  tx_id text,
  authorization_id text check (length(authorization_id) between 1 and 64),
  corrects text check (length(corrects) between 1 and 800),
  corrected_micro integer not null default 0 check (corrected_micro between 0 and max(quantity_micro, 0)),
  check ((corrects is null) = (quantity_micro > 0)),
  check ((charge_micro >= 0) = (quantity_micro > 0) or charge_micro = 0),
  primary key (service_id, source, id)
) strict, without rowid;
insert into new_usage_event (
    source, id, service_id, workspace_id, key_id, sku, quantity_micro, price_micro, charge_micro, occurred_at, received_at,
    digest, tx_id)
  select source, id, service_id, workspace_id, key_id, sku, quantity_micro, price_micro, charge_micro, occurred_at, received_at,
         digest, tx_id
  from usage_event order by service_id, source, id;
drop table usage_event;
alter table new_usage_event rename to usage_event;
create index usage_event_of_workspace on usage_event (workspace_id, occurred_at);
