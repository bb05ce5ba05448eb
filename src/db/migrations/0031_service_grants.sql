-- What a service may do: its scopes, and the workspaces that it may touch. A service from before this migration may do
-- everything in all workspaces, as it could. A service that was disconnected keeps its row for the audit and for what it
-- reported; its name is free again, so the table is made anew: a unique column cannot be changed.
create table service_new (
  id text primary key check (length(id) between 1 and 64),
  name text not null check (length(name) between 1 and 64),
  -- Names of scopes, separated by spaces.
  scopes text not null check (length(scopes) <= 200),
  -- 0: only the workspaces in service_workspace.
  has_all_workspaces integer not null check (has_all_workspaces in (0, 1)),
  created_at integer not null,
  -- Null: it is connected.
  disconnected_at integer
) strict;
insert into service_new (id, name, scopes, has_all_workspaces, created_at, disconnected_at)
  select id, name, 'keys:verify usage:write resources:write', 1, created_at, null from service;
drop table service;
alter table service_new rename to service;
create unique index service_by_name on service (name) where disconnected_at is null;

create table service_workspace (
  service_id text not null references service (id),
  workspace_id text not null references workspace (id) on delete cascade,
  primary key (service_id, workspace_id)
) strict, without rowid;
create index service_workspace_by_workspace on service_workspace (workspace_id);

-- When a service last sent a request: gathered in memory, written at most once a minute. Apart from `service`, so that writing
-- it changes no credential.
create table service_use (
  service_id text primary key references service (id),
  last_seen_at integer not null
) strict;

-- A code with which a service connects itself: ten minutes, once.
create table service_enrolment (
  lookup blob primary key check (length(lookup) = 32),
  service_id text not null references service (id),
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
create index service_enrolment_of on service_enrolment (service_id);

-- What a service says about itself. Its version is the service's own: a lower one than the stored one is refused.
create table service_manifest (
  service_id text primary key references service (id),
  version integer not null check (version > 0),
  -- Whether it answers to commands that export or erase the data of a person.
  can_export integer not null check (can_export in (0, 1)),
  can_erase integer not null check (can_erase in (0, 1)),
  -- SHA-256 of what was sent: the same version again must have the same content.
  digest blob not null check (length(digest) = 32),
  updated_at integer not null
) strict;

-- The types of resources that a manifest adds to the built-in ones.
create table service_resource_type (
  service_id text not null references service (id),
  name text not null check (length(name) between 1 and 64),
  label text not null check (length(label) between 1 and 64),
  -- The type of the resources that contain these. Null: none does.
  parent text check (length(parent) between 1 and 64),
  -- The category of storage that their bytes count in. Null: they have none.
  category text check (category in ('datasets', 'models', 'exports')),
  -- The limit of the plan that counts them. Null: none does.
  limit_key text check (length(limit_key) between 1 and 64),
  primary key (service_id, name)
) strict, without rowid;

-- What a service charges for, as its manifest says it. Prices are in the settings.
create table service_sku (
  service_id text not null references service (id),
  sku text not null check (length(sku) between 1 and 64),
  label text not null check (length(label) between 1 and 64),
  unit text not null check (length(unit) between 1 and 32),
  primary key (service_id, sku)
) strict, without rowid;

create trigger service_made after insert on service begin
  insert into credential_change (kind, subject_id) values ('service', new.id);
end;
create trigger service_changed after update on service begin
  insert into credential_change (kind, subject_id) values ('service', new.id);
end;
create trigger service_gone after delete on service begin
  insert into credential_change (kind, subject_id) values ('service', old.id);
end;
create trigger service_workspace_made after insert on service_workspace begin
  insert into credential_change (kind, subject_id) values ('service', new.service_id);
end;
create trigger service_workspace_gone after delete on service_workspace begin
  insert into credential_change (kind, subject_id) values ('service', old.service_id);
end;
