//! The store: one live SQLCipher file, one writer, many readers.
//!
//! Every change is one transaction on the writer's thread, and its caller is answered when it is on disk.
//! [`connection`] opens every connection and checks its settings; no other code opens the file.

mod answers;
mod clock;
mod columns;
mod connection;
mod copy;
mod damage;
mod decision;
mod epoch;
mod error;
mod frozen;
mod interrupt;
mod kept;
mod layout;
mod lock;
mod migrate;
mod owner;
mod pages;
mod pool;
mod site;
mod space;
mod sql;
mod store;
mod table;
mod tables;
mod tx;
mod wal_index;
mod work;
mod writer;

pub use answers::receive_answers_here;
pub use clock::{ClockRecord, STATEMENTS as CLOCK_STATEMENTS, find_clock, is_clock_right, update_clock};
pub use connection::{ENGINE_VERSION_MIN, STATEMENTS_KEPT, cipher_versions, engine_version};
pub use copy::{Copied, FileCopy, change_copy, copy_stamp, copy_unopened};
pub use decision::{Decided, Decision};
pub use epoch::{STATEMENTS as CHANGE_STATEMENTS, Subject, purge_changes};
pub use error::Error;
pub use frozen::{STATEMENTS as FROZEN_STATEMENTS, live_file};
pub use interrupt::Interrupt;
pub use kept::{KEPT_DAYS, KeptCopy, delete_old_copies, kept_copies, kept_copy_path};
pub use layout::Layout;
pub use lock::{lock_file, lock_file_unless, lock_file_within, try_lock_file, try_share_file};
pub use migrate::{MIGRATIONS_COUNT, SCHEMA, in_memory, make_file, migrate_file, migrate_file_with, schema_version};
pub use owner::{Ownership, ownership, record_owner};
pub use pages::{PAGE_BYTES, PageSummary, SALT_BYTES, read_pages, read_pages_of};
pub use site::{STATEMENTS, SiteStamp, find_keys_in_use, find_stamp, stamp, use_keys};
pub use space::{DiskSpace, FREE_BYTES_MIN, database_bytes, free_bytes};
pub use sql::{Draft, Field, assert_reads_all, only, position, text_of};
pub(crate) use sql::{by_name, field, sql, text};
pub use store::{Store, StoreHooks};
pub use table::{Cell, Column, Erasure, Export, Shift, Table, exported, in_order, left_out};
pub(crate) use table::{columns, exported_columns, insert, table, values};
pub(crate) use tables::{
    DERIVED, EVIDENCE, KEYRING_ESCROW, KEYRING_IN_USE, LINK, RESTORE_DRILL, SITE, SNAPSHOT_STAMP, STATE,
};
pub use tables::{SECRET, TABLES};
pub use tx::{Site, Tx, View, statements_of_this_thread, write_directly};
pub use work::Handler;
pub use writer::{Committed, JournalWriter};
