-- Which credentials changed, one row for each change, written by the database itself, so that no statement of any process
-- can forget it. The server's writer reads what is new before it answers, and forgets exactly what changed and nothing
-- else. Opaque ids only; the newest ten thousand rows stay.
create table credential_change (
  seq integer primary key autoincrement,
  kind text not null check (kind in ('key', 'account', 'workspace', 'service')),
  subject_id text not null
) strict;

create trigger api_key_made after insert on api_key begin
  insert into credential_change (kind, subject_id) values ('key', new.id);
end;
create trigger api_key_changed after update on api_key begin
  insert into credential_change (kind, subject_id) values ('key', new.id);
end;
create trigger api_key_gone after delete on api_key begin
  insert into credential_change (kind, subject_id) values ('key', old.id);
end;

-- A new account, workspace or membership makes nothing wrong that was read before: only good credentials are remembered.
create trigger account_changed after update on account begin
  insert into credential_change (kind, subject_id) values ('account', new.id);
end;
create trigger account_gone after delete on account begin
  insert into credential_change (kind, subject_id) values ('account', old.id);
end;
-- A new address can be the first of a person.
create trigger account_email_made after insert on account_email begin
  insert into credential_change (kind, subject_id) values ('account', new.account_id);
end;
create trigger account_email_changed after update on account_email begin
  insert into credential_change (kind, subject_id) values ('account', new.account_id);
end;
create trigger account_email_gone after delete on account_email begin
  insert into credential_change (kind, subject_id) values ('account', old.account_id);
end;
create trigger membership_changed after update on membership begin
  insert into credential_change (kind, subject_id) values ('account', new.account_id);
end;
create trigger membership_gone after delete on membership begin
  insert into credential_change (kind, subject_id) values ('account', old.account_id);
end;
create trigger workspace_changed after update on workspace begin
  insert into credential_change (kind, subject_id) values ('workspace', new.id);
end;
create trigger workspace_gone after delete on workspace begin
  insert into credential_change (kind, subject_id) values ('workspace', old.id);
end;

create trigger service_made after insert on service begin
  insert into credential_change (kind, subject_id) values ('service', new.id);
end;
create trigger service_changed after update on service begin
  insert into credential_change (kind, subject_id) values ('service', new.id);
end;
create trigger service_gone after delete on service begin
  insert into credential_change (kind, subject_id) values ('service', old.id);
end;
