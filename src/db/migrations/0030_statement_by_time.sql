-- Transactions are paged by time (src/billing/ledger/statement/store.rs): with this index, a page reads only its own lines,
-- however many a workspace has.
create index statement_line_by_time on statement_line (workspace_id, at, seq);
