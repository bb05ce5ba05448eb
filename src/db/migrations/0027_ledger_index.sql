-- Nothing reads the postings of one account: a balance is kept, and the check reads the postings in their order. The index
-- was a quarter of the pages that a report of usage changes. Accounts are never deleted, so no foreign key needs it either.
drop index ledger_posting_of_account;
