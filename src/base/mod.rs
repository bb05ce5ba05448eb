//! Value types, which know nothing of storage or the network.
//!
//! No I/O, no SQL, no HTTP, no serde. A value exists only in a valid form: a function that takes an [`EmailAddress`]
//! need not check it.

mod actor;
mod clock;
mod console_use;
mod digest;
mod email_address;
mod file_cure;
mod ids;
mod metrics;
mod money;
mod network;
mod page;
mod problem;
mod rate_limit;
mod readiness;
mod rng;
mod scope;
mod secret;
mod security;
mod shown_once;
mod text;
mod time;
mod typed_code;
mod visible;
mod zone;

pub use actor::{Actor, CredentialAdmin, Role, Visitor};
pub use clock::{Clock, ClockStep};
pub use console_use::{CONSOLE_IDLE, ConsoleUse};
pub use digest::{Digest, GENESIS};
pub use email_address::{EmailAddress, NotAnEmailAddress, ascii_domain};
pub use file_cure::file_cure;
pub use ids::*;
pub use metrics::{
    BUCKETS, Histogram, HistogramState, JOB_OUTCOMES, JobRuns, Metrics, RequestClass, STATUSES, WorkerCounts,
    WriterMetrics,
};
pub use money::{Credits, MoneyError, Quantity, Total};
pub use network::{Network, parse_address};
pub use page::{Cursor, PAGE_SIZE, PAGE_SIZE_MAX, Page};
pub use problem::{Problem, ReachedLimit};
pub use rate_limit::{RateLimit, RateLimiter, WINDOW_SECONDS};
pub use readiness::{Readiness, Warning};
pub use rng::Rng;
pub use scope::{ScopeEntry, ScopeTable, Scopes};
pub use secret::Secret;
pub use security::{SECURITY, SecurityEvent};
pub use shown_once::{SHOWN_FOR, ShownOnce};
pub use text::{SharedText, escape_formula, percent_encoded, size_in_words, wait_in_words};
pub use time::{Stopwatch, Timestamp, days, hours, minutes, seconds};
pub use typed_code::{fold_code, six_digits};
pub use visible::{is_visible, made_visible, visible_lines};
pub use zone::Zone;
