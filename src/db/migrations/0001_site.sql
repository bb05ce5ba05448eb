-- The appliance itself. One row, written by `init` and never changed: the region that all data stays in, and an id that
-- tells this appliance from every other. The configuration must name the same region, or the server does not start.
create table site (
  id integer primary key check (id = 1),
  region text not null check (length(region) between 1 and 32),
  site_id text not null,
  created_at integer not null
) strict;

create trigger site_is_never_changed before update on site
begin select raise(abort, 'the site stamp is never changed'); end;
create trigger site_is_never_deleted before delete on site
begin select raise(abort, 'the site stamp is never deleted'); end;

-- What a snapshot says of itself. Empty in the live database; the copy gets its row before it is published, so that
-- the description cannot be torn from what it describes.
create table snapshot_stamp (
  id integer primary key check (id = 1),
  made_at integer not null,
  schema_version integer not null,
  engine_version text not null,
  keyring_id text not null,
  audit_seq integer not null,
  audit_head blob not null,
  tombstone_seq integer not null
) strict;
