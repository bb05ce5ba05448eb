-- Restores. Each opens an epoch of the audit and of everything that is numbered without gaps: what follows continues the
-- snapshot, and what was recorded between the snapshot and the restore is not in this database any more. The first epoch, from
-- `init` on, has no row. `known_audit_seq` is the last audit event that was known outside the snapshot at the restore, in the data
-- that was replaced; null: none was known. So a check of the audit can say what was lost, instead of calling it damage.
create table epoch (
  number integer primary key check (number > 1),
  opened_at integer not null,
  snapshot_made_at integer not null,
  audit_seq integer not null,
  audit_head blob not null check (length(audit_head) = 32),
  journal_seq integer not null,
  known_audit_seq integer,
  known_audit_head blob check (known_audit_head is null or length(known_audit_head) = 32),
  journal_accepted_missing integer not null check (journal_accepted_missing in (0, 1)),
  check ((known_audit_seq is null) = (known_audit_head is null))
) strict;

create trigger epoch_is_never_changed before update on epoch
begin select raise(abort, 'an epoch is never changed'); end;
create trigger epoch_is_never_deleted before delete on epoch
begin select raise(abort, 'an epoch is never deleted'); end;

-- SQLite makes this row at the first revocation. A restore must be able to raise the number before there is one.
insert into sqlite_sequence (name, seq)
select 'revocation', 0 where not exists (select 1 from sqlite_sequence where name = 'revocation');
