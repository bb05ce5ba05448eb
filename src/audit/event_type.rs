//! The description of a type of event. Each module declares the types that it records as one enum, in its `events.rs`.

use crate::journal::EntryKind;

/// How the recorded action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action was done.
    Success,
    /// The action failed, for example because of a wrong password.
    Failure,
    /// The actor was not allowed to do it.
    Denied,
}

impl Outcome {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }

    /// Reads the stored form. `None`: there is no such outcome.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failure, Self::Denied].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// Groups of personal data that may have to be erased at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Network address and user agent.
    Network,
    /// E-mail addresses and names of people.
    Contact,
    /// Text that a person typed: names of keys, reasons.
    Text,
}

impl Part {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Contact => "contact",
            Self::Text => "text",
        }
    }
}

/// Who may see events of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The person whom the event is about.
    Person,
    /// The members of the workspace in which it happened.
    Workspace,
    /// The operators of the appliance only.
    Operators,
}

/// What an event does to access: keys, sessions, factors, addresses, accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessChange {
    /// Nothing, or it gives access that nobody had before.
    None,
    /// It takes access away from somebody who had it.
    Ends,
    /// It takes access away if the event says so ([`Event::ends_access`](super::Event::ends_access)).
    MayEnd,
    /// It gives access back that another event took away.
    Returns,
    /// None, but a restored backup must not undo it: something is deleted for good, or a workspace has another plan.
    Lasts,
}

/// What people are shown of the evidence of an event, and of which members. A type declares it ([`EventType::facts`]), so that
/// nothing is guessed from the name of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// From which value to which one.
    Change {
        /// The member with the value before.
        before: &'static str,
        /// The member with the value after.
        after: &'static str,
        /// What follows each value, such as ` days`.
        unit: &'static str,
    },
    /// The members that differ between the objects `before` and `after`: each with its name for people.
    Changes(&'static [(&'static str, &'static str)]),
    /// The names of fields that changed.
    Fields(&'static str),
    /// An amount of credit.
    Credits(&'static str),
    /// Scopes, as a list or in one text.
    Scopes(&'static str),
    /// How somebody proved who they are.
    Method(&'static str),
    /// How many, if it is not zero: the member, the word for one, and for several.
    Count(&'static str, &'static str, &'static str),
}

impl Fact {
    /// A change with the members `before` and `after`.
    pub const CHANGE: Self = Self::Change { before: "before", after: "after", unit: "" };

    /// Whether it is from what to what.
    pub(super) const fn is_change(&self) -> bool {
        matches!(self, Self::Change { .. } | Self::Changes(_))
    }
}

/// A type of event: its stored name, its titles for people, and what an event of this type may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// The stored, dotted name, such as `api_key.created` (domain 3.3). A released name never changes.
    pub name: &'static str,
    /// The title when the action was done. `None`: the type is for refused actions only.
    pub done: Option<&'static str>,
    /// The title when the action failed. `None`: it cannot fail.
    pub failed: Option<&'static str>,
    /// The title when the action was denied. `None`: it cannot be denied.
    pub denied: Option<&'static str>,
    /// The personal parts that an event may carry, besides the network address of its actor.
    pub private: &'static [Part],
    /// What people are shown of its evidence, in this order.
    pub facts: &'static [Fact],
    /// Who may see it.
    pub visible_to: Audience,
    /// What it does to access. Each change has an entry in the journal, so that a restored backup makes it again.
    pub access: AccessChange,
}

impl EventType {
    /// A type that the person sees whom the event is about.
    pub const fn for_person() -> Self {
        Self::new(Audience::Person)
    }

    /// A type that the members of its workspace see.
    pub const fn for_workspace() -> Self {
        Self::new(Audience::Workspace)
    }

    /// A type that only operators see.
    pub const fn for_operators() -> Self {
        Self::new(Audience::Operators)
    }

    const fn new(visible_to: Audience) -> Self {
        Self {
            name: "",
            done: None,
            failed: None,
            denied: None,
            private: &[],
            facts: &[],
            visible_to,
            access: AccessChange::None,
        }
    }

    /// Sets the title when the action was done.
    pub const fn done(mut self, title: &'static str) -> Self {
        self.done = Some(title);
        self
    }

    /// Sets the title when the action failed.
    pub const fn failed(mut self, title: &'static str) -> Self {
        self.failed = Some(title);
        self
    }

    /// Sets the title when the action was denied.
    pub const fn denied(mut self, title: &'static str) -> Self {
        self.denied = Some(title);
        self
    }

    /// Declares the personal parts that an event may carry.
    pub const fn with(mut self, parts: &'static [Part]) -> Self {
        self.private = parts;
        self
    }

    /// Declares what people are shown of the evidence.
    pub const fn facts(mut self, facts: &'static [Fact]) -> Self {
        self.facts = facts;
        self
    }

    /// Declares that an event takes access away.
    pub const fn ends_access(mut self) -> Self {
        self.access = AccessChange::Ends;
        self
    }

    /// Declares that an event can take access away, and says so itself.
    pub const fn may_end_access(mut self) -> Self {
        self.access = AccessChange::MayEnd;
        self
    }

    /// Declares that a restored backup must not undo an event, although it changes no access.
    pub const fn lasts(mut self) -> Self {
        self.access = AccessChange::Lasts;
        self
    }

    /// Declares that an event gives access back that another event took away.
    pub const fn returns_access(mut self) -> Self {
        self.access = AccessChange::Returns;
        self
    }

    /// The title for people of an event with this outcome. `None`: the type has no such outcome.
    pub const fn title(&self, outcome: Outcome) -> Option<&'static str> {
        match outcome {
            Outcome::Success => self.done,
            Outcome::Failure => self.failed,
            Outcome::Denied => self.denied,
        }
    }

    /// The kind of entry that an event with this outcome has in the journal. `None`: it has none. A denied attempt takes
    /// no access away, except when denying is all that the type stands for: a copied cookie is denied, and its session
    /// ends. `says_so`: what the event itself says, for [`AccessChange::MayEnd`].
    pub(super) const fn entry_kind(&self, outcome: Outcome, says_so: bool) -> Option<EntryKind> {
        let is_done = matches!(outcome, Outcome::Success) || self.done.is_none();
        match self.access {
            AccessChange::Ends | AccessChange::Lasts if is_done => Some(EntryKind::Revocation),
            AccessChange::MayEnd if is_done && says_so => Some(EntryKind::Revocation),
            AccessChange::Returns if is_done => Some(EntryKind::Reactivation),
            _ => None,
        }
    }

    /// Whether an event with this outcome took access away.
    pub const fn has_ended_access(&self, outcome: Outcome) -> bool {
        let changes_no_access = matches!(self.access, AccessChange::Lasts);
        !changes_no_access && matches!(self.entry_kind(outcome, false), Some(EntryKind::Revocation))
    }
}

/// An enum of event types, made by [`events`].
pub trait EventKind: Copy {
    /// The description of this type.
    fn event_type(self) -> &'static EventType;
}

impl EventKind for &'static EventType {
    fn event_type(self) -> &'static EventType {
        self
    }
}

/// Declares the event types of a module: an enum, and `TYPES`, the descriptions in the same order.
///
/// ```text
/// events! {
///     /// What happens to API keys.
///     ApiKeyEvent {
///         Created = "api_key.created": EventType::for_workspace().done("API key created").with(&[Part::Text]),
///     }
/// }
/// ```
macro_rules! events {
    ($(#[$about:meta])* $kind:ident { $($variant:ident = $name:literal: $description:expr,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind {
            $(#[doc = concat!("`", $name, "`.")] $variant,)+
        }

        impl $kind {
            /// Every type of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The descriptions, in the order of [`Self::ALL`].
            pub const TYPES: &'static [$crate::audit::EventType] =
                &[$($crate::audit::EventType { name: $name, ..$description }),+];
        }

        impl $crate::audit::EventKind for $kind {
            fn event_type(self) -> &'static $crate::audit::EventType {
                &Self::TYPES[self as usize]
            }
        }
    };
}
pub(crate) use events;
