-- The clock of the machine can be set while the appliance runs, and while it is stopped. This row remembers what a start needs to
-- notice that, and until when nothing is deleted, because the clock may be wrong.
--
-- `seen_at` is the latest time of a change, to the minute, and `uptime` the uptime of the machine then. `stepped_at` and `stepped_by`
-- describe the last step that an operator should know, in milliseconds, negative for a step back; null once it is confirmed. `ahead` is
-- by how much the clock was set forward without a confirmation, `ahead_since` the first time after that, and until `grace_until` nothing
-- is deleted. Access tokens whose number in the feed of revocations is below `token_seq` were issued before the clock was set back.
create table clock (
  id integer primary key check (id = 1),
  seen_at integer not null default 0,
  uptime integer not null default 0,
  stepped_at integer,
  stepped_by integer,
  ahead integer not null default 0 check (ahead >= 0),
  ahead_since integer,
  grace_until integer,
  token_seq integer not null default 0
) strict;

insert into clock (id, seen_at)
select 1, coalesce((select at from audit_event order by seq desc limit 1), 0);
