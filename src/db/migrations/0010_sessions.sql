-- How the person of a session proved who they are, and whether their browser keeps its cookie when it is closed.
alter table session add column method text not null default '';
alter table session add column remembered integer not null default 0 check (remembered in (0, 1));
