//! The pages of the console.

pub mod commands;
pub mod erasures;
mod overview;
pub mod services;

pub use overview::overview;

/// A state in one word, with the colour of its tag.
struct Tag {
    word: &'static str,
    colour: &'static str,
}
