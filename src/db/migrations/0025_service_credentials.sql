-- A service can have several credentials: the rotation of one keeps the old one for a while, and a leaked one can be
-- revoked. So credentials are rows of their own, and a service without a valid one can do nothing.
create table service_credential (
  id text primary key check (length(id) between 1 and 64),
  service_id text not null references service (id),
  lookup blob not null unique check (length(lookup) = 32),
  pepper_id integer not null,
  -- What may be shown of it, to recognize it. Empty: it was created before this table existed.
  display text not null check (length(display) <= 32),
  created_at integer not null,
  -- The end of the overlap after a rotation. Null: it has no end.
  ends_at integer,
  -- Null: it was not revoked.
  revoked_at integer
) strict;
create index service_credential_of on service_credential (service_id);

insert into service_credential (id, service_id, lookup, pepper_id, display, created_at, ends_at, revoked_at)
select 'cred' || substr(id, 4), id, lookup, pepper_id, '', created_at, null, null from service;

-- A unique column cannot be dropped.
create table service_without_credential (
  id text primary key,
  name text not null unique,
  created_at integer not null
) strict;
insert into service_without_credential (id, name, created_at) select id, name, created_at from service;
drop table service;
alter table service_without_credential rename to service;

create trigger service_made after insert on service begin
  insert into credential_change (kind, subject_id) values ('service', new.id);
end;
create trigger service_changed after update on service begin
  insert into credential_change (kind, subject_id) values ('service', new.id);
end;
create trigger service_gone after delete on service begin
  insert into credential_change (kind, subject_id) values ('service', old.id);
end;
create trigger service_credential_made after insert on service_credential begin
  insert into credential_change (kind, subject_id) values ('service', new.service_id);
end;
create trigger service_credential_changed after update on service_credential begin
  insert into credential_change (kind, subject_id) values ('service', new.service_id);
end;
create trigger service_credential_gone after delete on service_credential begin
  insert into credential_change (kind, subject_id) values ('service', old.service_id);
end;
