//! The owner of a key: the texts that every response about the key contains.

use std::ops::Range;

use crate::base::{AccountId, Role, SharedText, WorkspaceId};

/// The owner of keys: a person in a workspace, with an active account and a membership there.
///
/// Hundreds of thousands of owners are in memory, so all texts of an owner are in one allocation, and the methods
/// return parts of it.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The person the keys act for.
    pub account: AccountId,
    /// The workspace that the keys reach.
    pub workspace: WorkspaceId,
    /// The person's role in the workspace.
    pub role: Role,
    words: SharedText,
    /// The end of each text.
    ends: [u16; WORDS],
}

/// The number of texts of an owner.
const WORDS: usize = 7;

/// The texts of an owner as read from the database.
pub(in crate::verification) struct OwnerFields<'a> {
    pub username: &'a str,
    pub display_name: &'a str,
    pub email: &'a str,
    pub plan: &'a str,
    pub region: &'a str,
}

impl Owner {
    pub(in crate::verification) fn new(
        account: AccountId,
        workspace: WorkspaceId,
        role: Role,
        of: &OwnerFields<'_>,
    ) -> Self {
        let (account_text, workspace_text) = (account.to_text(), workspace.to_text());
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

    /// An owner that is not read yet: only its ids are known.
    pub(in crate::verification) fn placeholder(account: AccountId, workspace: WorkspaceId) -> Self {
        Self { account, workspace, role: Role::Viewer, words: SharedText::default(), ends: [0; WORDS] }
    }

    /// The account id as text.
    pub fn account_text(&self) -> SharedText {
        self.word(0)
    }

    /// The workspace id as text.
    pub fn workspace_text(&self) -> SharedText {
        self.word(1)
    }

    #[allow(missing_docs)]
    pub fn username(&self) -> SharedText {
        self.word(2)
    }

    /// The name that the person chose to be called by.
    pub fn display_name(&self) -> SharedText {
        self.word(3)
    }

    /// The primary e-mail address. Empty: none.
    pub fn email(&self) -> SharedText {
        self.word(4)
    }

    /// The plan of the workspace.
    pub fn plan(&self) -> SharedText {
        self.word(5)
    }

    /// The region that holds the workspace's data.
    pub fn region(&self) -> SharedText {
        self.word(6)
    }

    fn word(&self, number: usize) -> SharedText {
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range: Range<usize> = begin.into()..self.ends[number].into();
        self.words.part(range)
    }
}
