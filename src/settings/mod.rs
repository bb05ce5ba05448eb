//! **For:** the settings pages and account data that combine several modules: profile, security, the account summary and
//! public profiles.
//! **Words:** card (a section of a page with a form of its own), view (what a template prints), refused form.
//! **Tables:** none of its own.
//! **Never:** decides what a person may do: the modules below decide; stores anything itself.
//! **Start reading:** [`pages`], then [`api`].

pub mod api;
pub mod pages;
