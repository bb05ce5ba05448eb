-- What an owner wrote about a key, in their own words, on one or more lines: at most 500 characters; empty: nothing. It is
-- personal data and goes with the key's row. A successor by rotation starts with the note of the key that it replaces.
alter table api_key add column note text not null default '' check (length(note) <= 500);
