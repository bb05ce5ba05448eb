//! The folder of mails that an appliance with `transport = "directory"` writes.

use std::path::PathBuf;

use super::wait_for;

/// A decoded mail.
#[derive(Clone, Debug)]
pub struct Message {
    pub to: String,
    pub subject: String,
    /// The whole mail, with the encodings that our mails use decoded.
    pub text: String,
}

/// A folder of `.eml` files.
pub struct Mailbox(pub PathBuf);

impl Mailbox {
    /// All mails so far, in no particular order.
    pub fn messages(&self) -> Vec<Message> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "eml"))
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .map(|text| read(&text))
            .collect()
    }

    /// Waits for the mail to `to` whose subject contains `subject`.
    pub fn wait_for(&self, to: &str, subject: &str) -> Message {
        wait_for(&format!("a mail to {to} about {subject:?}"), || {
            self.messages().into_iter().find(|message| message.to.contains(to) && message.subject.contains(subject))
        })
    }
}

impl Message {
    /// The six digits of a verification mail.
    pub fn code(&self) -> String {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
        self.text.split_whitespace().find(is_code).unwrap_or_else(|| panic!("no code in {self:?}")).to_owned()
    }

    /// The first link that contains `part`.
    pub fn link(&self, part: &str) -> String {
        let words = self.text.split(|c: char| c.is_whitespace() || "<>\"".contains(c));
        let link = words.into_iter().find(|word| word.starts_with("http") && word.contains(part));
        link.unwrap_or_else(|| panic!("no link with {part} in {self:?}")).to_owned()
    }
}

fn read(eml: &str) -> Message {
    let unix = eml.replace("\r\n", "\n");
    // Decodes quoted-printable (RFC 2045 §6.7) for ASCII text.
    let text = unix.replace("=\n", "").replace("=3D", "=").replace("=3d", "=");
    let header = |name: &str| {
        let line = text.lines().find(|line| line.to_lowercase().starts_with(name)).unwrap_or_default();
        line.split_once(": ").map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    Message { to: header("to:"), subject: header("subject:"), text: text.clone() }
}
