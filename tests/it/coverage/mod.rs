//! What must hold for every route, table, statement and document. A new one is checked without a test of its own.

mod anonymous_requests_are_refused;
mod changed_columns;
mod credential_matrix;
mod cross_site_forms_change_nothing;
mod every_statement_prepares;
mod every_table_is_in_the_data_map;
mod fast_path;
pub mod forms;
mod fuzzed;
mod headers_of_every_answer;
mod not_found;
mod one_code_for_one_fault;
mod openapi_compatibility;
mod openapi_is_current;
mod scanned;
pub mod seeded;
