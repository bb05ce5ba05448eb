//! **For:** what the machine must be like for the appliance: who may use its files, where they lie, memory and clock.
//! **Words:** verdict (what a rule says about the machine as it is).
//! **Tables:** none.
//! **Never:** changes anything; asks another machine.
//! **Start reading:** `files.rs`, then `disk.rs`.

mod clock;
mod disk;
mod files;
mod memory;

pub use clock::{ClockVerdict, is_clock_synchronized, judge_clock};
pub use disk::{DiskVerdict, FileSystemVerdict, judge_disk, judge_file_system};
pub use files::{DataFolderVerdict, SettingsFileVerdict, judge_data_folder, judge_settings_file};
pub use memory::{MemoryVerdict, judge_memory};
