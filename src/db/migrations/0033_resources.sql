-- What services keep for people: models, datasets, projects, deployments, exports. Their files are at the services; here is
-- what lists, quota, trash, export and erasure need. A row is never deleted: the id of something that was deleted for good
-- never comes back.
create table resource (
  id text primary key check (length(id) between 1 and 64),
  service_id text not null references service (id),
  -- The id that the service gave it.
  external_id text not null check (length(external_id) between 1 and 200),
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  kind text not null check (length(kind) between 1 and 64),
  -- The limit that it counts for, or its kind. As when it was registered, so that the counts stay right.
  count_key text not null check (length(count_key) between 1 and 80),
  category text not null check (category in ('datasets', 'models', 'exports', 'other')),
  parent_id text references resource (id),
  -- Empty after an erasure, and after it was deleted for good.
  name text not null check (length(name) <= 200),
  -- Empty: none.
  slug text not null check (length(slug) <= 100),
  size_bytes integer not null check (size_bytes between 0 and 9007199254740991),
  version integer not null check (version between 1 and 9007199254740991),
  -- Purging: the service was asked to delete it, and has not answered. Purged: it has.
  state text not null check (state in ('active', 'trashed', 'purging', 'purged')),
  state_at integer not null,
  -- When it leaves the trash for good.
  purge_after integer check ((purge_after is not null) = (state = 'trashed')),
  -- It went into the trash together with this resource above it.
  cascade_root text references resource (id),
  -- The command that asks the service to delete it. Null: it was not sent yet.
  purge_command text check (length(purge_command) between 1 and 64),
  -- The full sync of the service that named it last. Null: none has.
  generation integer check (generation >= 0),
  -- Since when the service does not name it any more. Null: it does.
  missing_at integer,
  created_at integer not null,
  updated_at integer not null,
  unique (service_id, external_id)
) strict;
create index resource_of_service on resource (service_id, id);
create index resource_of_workspace on resource (workspace_id, service_id, id);
create index resource_of_kind on resource (workspace_id, service_id, kind, id);
create index resource_children on resource (parent_id) where parent_id is not null;
create index resource_trash on resource (workspace_id, state_at, id, kind) where state = 'trashed' and cascade_root is null;
create index resource_trash_of_kind on resource (workspace_id, kind, state_at, id)
  where state = 'trashed' and cascade_root is null;
create index resource_cascade on resource (cascade_root, size_bytes) where cascade_root is not null;
create index resource_due on resource (purge_after) where state = 'trashed';
create index resource_to_purge on resource (state_at) where state = 'purging' and purge_command is null;
create index resource_purging on resource (service_id) where state = 'purging';
create index resource_largest on resource (workspace_id, size_bytes) where state in ('active', 'trashed');
create index resource_unseen on resource (service_id, generation)
  where missing_at is null and state in ('active', 'trashed');

-- What a workspace uses, changed by the database itself with each row, so that no statement can forget it.
create table workspace_storage (
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  category text not null check (category in ('datasets', 'models', 'exports', 'other')),
  size_bytes integer not null check (size_bytes >= 0),
  items integer not null check (items >= 0),
  -- Of leases that are open.
  reserved_bytes integer not null check (reserved_bytes >= 0),
  primary key (workspace_id, category)
) strict, without rowid;
create table workspace_count (
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  count_key text not null check (length(count_key) between 1 and 80),
  used integer not null check (used >= 0),
  reserved integer not null check (reserved >= 0),
  -- Of the used ones, those in the trash, those among them that the trash lists, and their bytes.
  trashed integer not null check (trashed >= 0),
  trashed_roots integer not null check (trashed_roots >= 0),
  trashed_bytes integer not null check (trashed_bytes >= 0),
  primary key (workspace_id, count_key)
) strict, without rowid;

create trigger resource_made after insert on resource begin
  insert into workspace_storage (workspace_id, category, size_bytes, items, reserved_bytes)
  values (new.workspace_id, new.category, (new.state <> 'purged') * new.size_bytes, new.state <> 'purged', 0)
  on conflict do update set size_bytes = size_bytes + excluded.size_bytes, items = items + excluded.items;
  insert into workspace_count (workspace_id, count_key, used, reserved, trashed, trashed_roots, trashed_bytes)
  values (
    new.workspace_id, new.count_key, new.state <> 'purged', 0, new.state = 'trashed',
    new.state = 'trashed' and new.cascade_root is null, (new.state = 'trashed') * new.size_bytes)
  on conflict do update set
    used = used + excluded.used, trashed = trashed + excluded.trashed,
    trashed_roots = trashed_roots + excluded.trashed_roots, trashed_bytes = trashed_bytes + excluded.trashed_bytes;
end;
create trigger resource_changed after update of state, size_bytes, cascade_root on resource
when old.state <> new.state or old.size_bytes <> new.size_bytes or old.cascade_root is not new.cascade_root begin
  update workspace_storage set
    size_bytes = size_bytes + (new.state <> 'purged') * new.size_bytes - (old.state <> 'purged') * old.size_bytes,
    items = items + (new.state <> 'purged') - (old.state <> 'purged')
  where workspace_id = new.workspace_id and category = new.category;
  update workspace_count set
    used = used + (new.state <> 'purged') - (old.state <> 'purged'),
    trashed = trashed + (new.state = 'trashed') - (old.state = 'trashed'),
    trashed_roots = trashed_roots + (new.state = 'trashed' and new.cascade_root is null)
      - (old.state = 'trashed' and old.cascade_root is null),
    trashed_bytes = trashed_bytes + (new.state = 'trashed') * new.size_bytes - (old.state = 'trashed') * old.size_bytes
  where workspace_id = new.workspace_id and count_key = new.count_key;
end;
create trigger resource_is_never_deleted before delete on resource
begin select raise(abort, 'a resource is never deleted: its id must not come back'); end;

-- Places and bytes that a service reserved before it creates something, for a day at most.
create table resource_lease (
  id text primary key check (length(id) between 1 and 64),
  service_id text not null references service (id),
  workspace_id text not null check (length(workspace_id) between 1 and 64),
  kind text not null check (length(kind) between 1 and 64),
  count_key text not null check (length(count_key) between 1 and 80),
  category text not null check (category in ('datasets', 'models', 'exports', 'other')),
  quantity integer not null check (quantity between 1 and 1000),
  size_bytes integer not null check (size_bytes between 0 and 9007199254740991),
  created_at integer not null,
  expires_at integer not null,
  state text not null check (state in ('open', 'committed', 'released', 'expired')),
  ended_at integer check ((ended_at is null) = (state = 'open'))
) strict;
create index resource_lease_open on resource_lease (workspace_id, expires_at) where state = 'open';
-- An erasure deletes all leases of a workspace.
create index resource_lease_of on resource_lease (workspace_id);
create index resource_lease_due on resource_lease (expires_at) where state = 'open';
create index resource_lease_ended on resource_lease (ended_at) where state <> 'open';

create trigger resource_lease_made after insert on resource_lease when new.state = 'open' begin
  insert into workspace_storage (workspace_id, category, size_bytes, items, reserved_bytes)
  values (new.workspace_id, new.category, 0, 0, new.size_bytes)
  on conflict do update set reserved_bytes = reserved_bytes + excluded.reserved_bytes;
  insert into workspace_count (workspace_id, count_key, used, reserved, trashed, trashed_roots, trashed_bytes)
  values (new.workspace_id, new.count_key, 0, new.quantity, 0, 0, 0)
  on conflict do update set reserved = reserved + excluded.reserved;
end;
create trigger resource_lease_ends after update of state on resource_lease
when old.state = 'open' and new.state <> 'open' begin
  update workspace_storage set reserved_bytes = reserved_bytes - old.size_bytes
  where workspace_id = old.workspace_id and category = old.category;
  update workspace_count set reserved = reserved - old.quantity
  where workspace_id = old.workspace_id and count_key = old.count_key;
end;

-- The newest full sync of each service that is finished.
create table resource_sync (
  service_id text primary key references service (id),
  generation integer not null check (generation >= 0),
  ended_at integer not null
) strict;
