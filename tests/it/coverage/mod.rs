//! What must hold of every route, table, statement and document: a new one is checked without a test of its own.
