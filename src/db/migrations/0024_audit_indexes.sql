-- Each page that a commit changes is encrypted, authenticated and written. Many events have no workspace, no actor with an id
-- or no target, and no query looks for those. So the indexes have no entries for them.
drop index audit_event_of_workspace;
drop index audit_event_of_actor;
drop index audit_event_of_target;
create index audit_event_of_workspace on audit_event (workspace_id, seq) where workspace_id is not null;
create index audit_event_of_actor on audit_event (actor_id, seq) where actor_id is not null;
create index audit_event_of_target on audit_event (target_id, seq) where target_id is not null;
