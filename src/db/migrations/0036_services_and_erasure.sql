-- What services give, after an erasure and after a restore.
--
-- The ids of resources that were deleted for good, as digests under a secret key: a service cannot use such an id again, and after an
-- erasure nothing tells what it was. The row of the resource has no such id any more, or a restored backup has no row at all.
create table purged_resource (
  service_id text not null check (length(service_id) between 1 and 64),
  digest blob not null check (length(digest) = 32),
  -- Our own id of it.
  resource_id text not null check (length(resource_id) between 1 and 64),
  purged_at integer not null,
  primary key (service_id, digest)
) strict, without rowid;

-- Stored answers know which workspace they are about, so that its erasure deletes them. Their keys, which senders choose, are stored
-- as digests from now on; the answers of before are 48 hours old at most, and a repeated request is done again without harm.
delete from kept_answer;
alter table kept_answer add column workspace_id text check (length(workspace_id) between 1 and 64);
create index kept_answer_of_workspace on kept_answer (workspace_id) where workspace_id is not null;

-- The erasure of a workspace finds the commands about it.
create index service_command_workspace on service_command (workspace_id) where workspace_id is not null;

-- One pause for all commands of an address that takes none: how many calls failed one after the other, and until when it is not
-- called. Null: it may be called.
alter table webhook_endpoint add column failures integer not null default 0 check (failures >= 0);
alter table webhook_endpoint add column paused_until integer;

-- The last batch of a finished full sync and its answer, so that the same batch is answered the same. Null: it was not stored.
alter table resource_sync add column digest blob check (length(digest) = 32);
alter table resource_sync add column answer text check (length(answer) between 2 and 4000000);

-- What a disconnected service keeps for a workspace is counted and found without reading all rows; and the trash is searched by name
-- in its index alone.
-- What is below something is found by its state, so that much is moved a part at a time.
drop index resource_children;
create index resource_children on resource (parent_id, state) where parent_id is not null;
create index resource_active on resource (service_id, workspace_id, size_bytes) where state = 'active';
drop index resource_trash;
create index resource_trash on resource (workspace_id, state_at, id, kind, name, state, cascade_root)
  where state = 'trashed' and cascade_root is null;

-- The highest share of its storage that the owner of a workspace was mailed about. Without a row: none, or it has fallen below since.
create table storage_notice (
  workspace_id text primary key check (length(workspace_id) between 1 and 64),
  percent integer not null check (percent in (80, 90, 100))
) strict, without rowid;
