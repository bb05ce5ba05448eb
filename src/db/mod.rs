//! The store room: one live SQLCipher file, one writer, many readers.
//!
//! Every change is one transaction on the writer's thread and is answered when it is on disk. Every connection is
//! opened by [`connection`] and asserted there; nobody else opens the file.

mod change;
mod columns;
mod connection;
mod copy;
mod error;
mod lock;
mod migrate;
mod pool;
mod site;
mod store;
mod tx;
mod wal_index;
mod writer;

pub use change::{STATEMENTS as CHANGE_STATEMENTS, Subject, purge_changes};
pub use connection::{ENGINE_VERSION_MIN, STATEMENTS_KEPT, engine_version};
pub use copy::{FileCopy, PAGE_BYTES};
pub use error::Error;
pub use lock::lock_file;
pub use migrate::{MIGRATIONS_COUNT, SCHEMA, in_memory, make_file, migrate_file, schema_version};
pub use site::{STATEMENTS, SiteStamp, find_keys_in_use, find_stamp, stamp, use_keys};
pub use store::{Layout, Store};
pub use tx::{Site, Tx, View, statements_of_this_thread, write_directly};
pub use writer::Committed;
