//! Who is behind a key, in the words that every answer about it repeats.

use std::ops::Range;

use crate::base::{AccountId, Role, SharedText, WorkspaceId};

/// Who is behind the keys of one person in one workspace: active, and a member there.
///
/// Hundreds of thousands of them are remembered, so all their words are one text, written once and given out as parts of it.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The person the key acts for.
    pub account: AccountId,
    /// The workspace it reaches.
    pub workspace: WorkspaceId,
    /// What the person is there.
    pub role: Role,
    words: SharedText,
    /// Where each word ends.
    ends: [u16; WORDS],
}

/// Words of an owner, in the order of their text.
const WORDS: usize = 7;

/// An owner as read.
pub(in crate::api_keys) struct OwnerWords<'a> {
    pub username: &'a str,
    pub display_name: &'a str,
    pub email: &'a str,
    pub plan: &'a str,
    pub region: &'a str,
}

impl Owner {
    pub(in crate::api_keys) fn new(
        account: AccountId,
        workspace: WorkspaceId,
        role: Role,
        of: &OwnerWords<'_>,
    ) -> Self {
        let (account_text, workspace_text) = (account.written(), workspace.written());
        let words: [&str; WORDS] =
            [&account_text, &workspace_text, of.username, of.display_name, of.email, of.plan, of.region];
        let mut text = String::with_capacity(words.iter().map(|word| word.len()).sum());
        let ends = words.map(|word| {
            text.push_str(word);
            // Names and addresses have limits of some hundred bytes.
            u16::try_from(text.len()).unwrap_or(u16::MAX)
        });
        Self { account, workspace, role, words: SharedText::packed(&text), ends }
    }

    /// Of whom nothing is known yet but the name of their number.
    pub(in crate::api_keys) fn unread(account: AccountId, workspace: WorkspaceId) -> Self {
        Self { account, workspace, role: Role::Viewer, words: SharedText::default(), ends: [0; WORDS] }
    }

    /// The person's id as written.
    pub fn account_text(&self) -> SharedText {
        self.word(0)
    }

    /// The workspace's id as written.
    pub fn workspace_text(&self) -> SharedText {
        self.word(1)
    }

    /// Their username.
    pub fn username(&self) -> SharedText {
        self.word(2)
    }

    /// What to call them.
    pub fn display_name(&self) -> SharedText {
        self.word(3)
    }

    /// Where they can be written to. Empty: nowhere.
    pub fn email(&self) -> SharedText {
        self.word(4)
    }

    /// The workspace's plan.
    pub fn plan(&self) -> SharedText {
        self.word(5)
    }

    /// The region of its data.
    pub fn region(&self) -> SharedText {
        self.word(6)
    }

    fn word(&self, number: usize) -> SharedText {
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range: Range<usize> = begin.into()..self.ends[number].into();
        self.words.part(range)
    }
}
