-- Offline verification: short access tokens that services check without asking, and the news that a token has to die early.

-- The keys that sign access tokens (Ed25519). The newest whose time has come signs. Each is published a day before it signs,
-- and until the last token it signed has ended; then its row goes. The secret half is sealed under the keyring, and is
-- emptied when the key signs no more. `sign_until` and `publish_until` are set when its successor is made.
create table jwt_key (
  kid text primary key,
  public_key blob not null check (length(public_key) = 32),
  sealed_secret blob,
  created_at integer not null,
  not_before integer not null,
  sign_until integer,
  publish_until integer,
  check ((sign_until is null) = (publish_until is null) and coalesce(sign_until >= not_before, 1)
    and coalesce(publish_until > sign_until, 1))
) strict;

-- What ended before its time, in the order of the commits: written by the database itself, so that no statement of any
-- process can forget it. A token carries the number that was the last when it was made; it is dead when a later row names its
-- key ('key') or its person ('subject'). So no clock decides. Opaque ids only. `seen_at` is written by the house's tidying,
-- which deletes the row a day later; no token lives as long.
create table revocation (
  seq integer primary key autoincrement,
  kind text not null check (kind in ('key', 'subject')),
  subject_id text not null,
  seen_at integer
) strict;
create index revocation_of on revocation (subject_id, seq);
create index revocation_seen on revocation (seen_at);

-- A key that is rotated stays good until its overlap ends, and so do its tokens; an overlap that is shorter than a token's
-- longest life (15 minutes, in milliseconds) ends them at once. Other scopes or networks, an earlier end and a spent budget are
-- an end for what was issued, too.
create trigger revocation_of_changed_key after update of state, scopes, networks, expires_at, retire_at, spent_until on api_key
  when (new.state <> old.state and new.state not in ('active', 'retiring'))
    or new.scopes <> old.scopes
    or new.networks <> old.networks
    or (new.expires_at is not null and new.expires_at < coalesce(old.expires_at, new.expires_at + 1))
    or (new.retire_at is not null and new.retire_at < new.state_at + 900000 and new.retire_at is not old.retire_at)
    or (new.spent_until is not null and new.spent_until > coalesce(old.spent_until, 0))
begin
  insert into revocation (kind, subject_id) values ('key', new.id);
end;
create trigger revocation_of_deleted_key after delete on api_key begin
  insert into revocation (kind, subject_id) values ('key', old.id);
end;
-- Keys that are locked, because somebody else signed in, are as bad as those of a stopped account.
create trigger revocation_of_stopped_account after update of state, keys_locked_at on account
  when (old.state = 'active' and new.state <> 'active')
    or (old.keys_locked_at is null and new.keys_locked_at is not null)
begin
  insert into revocation (kind, subject_id) values ('subject', new.id);
end;
create trigger revocation_of_deleted_account after delete on account begin
  insert into revocation (kind, subject_id) values ('subject', old.id);
end;
-- Whoever has another role, or none, has other rights.
create trigger revocation_of_changed_role after update of role on membership when new.role <> old.role begin
  insert into revocation (kind, subject_id) values ('subject', new.account_id);
end;
create trigger revocation_of_ended_membership after delete on membership begin
  insert into revocation (kind, subject_id) values ('subject', old.account_id);
end;
