//! Whether there is enough memory for the settings.

use crate::config::{Config, UnitLimits, memory_needed};

/// What is to be said about memory. All numbers are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MemoryVerdict {
    /// It is enough.
    Enough { needed: u64, available: u64 },
    /// The unit allows less than the settings need.
    UnitLimit { needed: u64, available: u64 },
    /// The machine has less than the settings need.
    SmallMachine { needed: u64, available: u64 },
    /// The system does not say how much there is.
    Unknown,
}

/// Compares what the settings need with what the unit allows and the machine has.
pub fn judge_memory(config: &Config, limits: &UnitLimits) -> MemoryVerdict {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    judge(memory_needed(config), limits.memory, machine)
}

fn judge(needed: u64, limit: Option<u64>, machine: Option<u64>) -> MemoryVerdict {
    match (limit, machine) {
        (_, Some(available)) if needed > available => MemoryVerdict::SmallMachine { needed, available },
        (Some(available), _) if needed > available => MemoryVerdict::UnitLimit { needed, available },
        (Some(available), machine) => {
            MemoryVerdict::Enough { needed, available: available.min(machine.unwrap_or(available)) }
        }
        (None, Some(available)) => MemoryVerdict::Enough { needed, available },
        (None, None) => MemoryVerdict::Unknown,
    }
}

/// The bytes of the machine, from `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next())?;
    kib.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_unit_and_machine_decides() {
        assert_eq!(judge(5, Some(6), Some(7)), MemoryVerdict::Enough { needed: 5, available: 6 });
        assert_eq!(judge(5, Some(7), Some(6)), MemoryVerdict::Enough { needed: 5, available: 6 });
        assert_eq!(judge(5, None, Some(5)), MemoryVerdict::Enough { needed: 5, available: 5 });
        assert_eq!(judge(5, Some(4), Some(9)), MemoryVerdict::UnitLimit { needed: 5, available: 4 });
        assert_eq!(judge(5, Some(9), Some(4)), MemoryVerdict::SmallMachine { needed: 5, available: 4 });
        assert_eq!(judge(5, None, None), MemoryVerdict::Unknown);
        assert_eq!(total("MemTotal:       131072 kB\nMemFree: 1 kB\n"), Some(128 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
}
