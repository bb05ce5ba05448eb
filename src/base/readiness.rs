//! Why the server is not ready, although it answers requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The lasting faults of the appliance that an operator must know: a snapshot that fails, a drill that failed, a clock
/// that stepped. Each has a name; while one is there, the readiness probe answers 503 with its reason.
#[derive(Debug, Default)]
pub struct Readiness {
    faults: Mutex<BTreeMap<&'static str, String>>,
    warnings: Mutex<BTreeMap<&'static str, Warning>>,
}

/// What operators should know although the server is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Digits that identify what happened: a browser remembers which one was read.
    pub id: String,
    /// What happened and what to do.
    pub sentence: String,
}

impl Readiness {
    /// Records the fault `name` with one sentence for the operator: what happened and what to do, without secrets and
    /// personal data. Returns whether it is new or has another reason, so that the caller can log it once.
    pub fn set_fault(&self, name: &'static str, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        self.lock().insert(name, reason.clone()) != Some(reason)
    }

    /// Removes the fault `name`. Returns whether it was there.
    pub fn clear_fault(&self, name: &'static str) -> bool {
        self.lock().remove(name).is_some()
    }

    /// The faults in the order of their names, each with its reason. Empty: the server is ready.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().map(|(name, reason)| (*name, reason.clone())).collect()
    }

    /// Records the warning `name`. Returns whether it is new or another one, so that the caller can log it once.
    pub fn set_warning(&self, name: &'static str, warning: Warning) -> bool {
        self.lock_warnings().insert(name, warning.clone()) != Some(warning)
    }

    /// As [`Readiness::set_warning`], for something that lasts: while it has the same sentence, it keeps the id of its first
    /// time, so that it is read once.
    pub fn set_lasting_warning(&self, name: &'static str, warning: Warning) -> bool {
        let mut warnings = self.lock_warnings();
        if warnings.get(name).is_some_and(|known| known.sentence == warning.sentence) {
            return false;
        }
        warnings.insert(name, warning);
        true
    }

    /// Removes the warning `name`. Returns whether it was there.
    pub fn clear_warning(&self, name: &'static str) -> bool {
        self.lock_warnings().remove(name).is_some()
    }

    /// The warnings in the order of their names.
    pub fn warnings(&self) -> Vec<Warning> {
        self.lock_warnings().values().cloned().collect()
    }

    fn lock_warnings(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Warning>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // After a panic the map is still whole: each change of it is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Readiness, Warning};

    #[test]
    fn a_fault_is_new_once_and_ends_when_it_is_cleared() {
        let readiness = Readiness::default();

        assert!(readiness.set_fault("snapshot", "The disk is full."));
        assert!(!readiness.set_fault("snapshot", "The disk is full."));
        assert!(readiness.set_fault("snapshot", "The folder is gone."));
        assert!(readiness.set_fault("drill", "The drill failed."));

        assert_eq!(
            readiness.faults(),
            [("drill", "The drill failed.".to_owned()), ("snapshot", "The folder is gone.".to_owned())]
        );
        assert!(readiness.clear_fault("snapshot") && !readiness.clear_fault("snapshot"));
        assert_eq!(readiness.faults().len(), 1);
    }

    #[test]
    fn a_warning_that_lasts_keeps_its_first_id_until_it_says_something_else() {
        let readiness = Readiness::default();
        let warn = |id: &str, sentence: &str| {
            readiness.set_lasting_warning("file", Warning { id: id.to_owned(), sentence: sentence.to_owned() })
        };

        assert!(warn("1", "The disk is full.") && !warn("2", "The disk is full."));
        assert_eq!(readiness.warnings()[0].id, "1");
        assert!(warn("3", "The folder is gone."));
        assert_eq!(readiness.warnings()[0].id, "3");
        assert!(readiness.clear_warning("file") && !readiness.clear_warning("file"));
        assert!(warn("4", "The folder is gone."));
    }
}
