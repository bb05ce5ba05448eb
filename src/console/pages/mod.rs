//! The pages of the console.

mod overview;
mod services;

pub use overview::overview;
pub use services::services;
