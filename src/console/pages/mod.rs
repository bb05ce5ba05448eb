//! The pages of the console.

mod overview;
pub mod services;

pub use overview::overview;
