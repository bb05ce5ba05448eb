-- What a service is to delete of an erased workspace is found without reading what it has deleted already.
create index resource_purging_of on resource (workspace_id, service_id) where state = 'purging';
-- What was deleted for good before the ids of services became digests. Empty soon after the upgrade.
create index resource_named_purged on resource (workspace_id) where state = 'purged' and substr(external_id, 1, 7) <> 'purged ';
