//! Ends long work early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that long work on files and copies looks at all the time. Clones share it. Once it is set, it stays set.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Ends the work that has a clone of this flag.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the work must end now.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
