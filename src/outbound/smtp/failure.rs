//! Why a mail was not sent: at which step, with which answer, and what to do about it.

/// Answers about the sign-in or TLS at any step (RFC 4954 §6, RFC 3207 §4): they say nothing about the mail.
const SIGN_IN_CODES: [u16; 4] = [530, 534, 535, 538];
/// The longest text of a relay that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 500;

/// The steps of a delivery, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stage {
    Connect,
    Tls,
    /// The first line of the relay, and its answer to EHLO.
    Greeting,
    Auth,
    Sender,
    Recipient,
    Data,
    /// Instead of a relay: the file in the folder of `transport = "directory"`.
    Folder,
}

/// What happened at that step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The relay answered with a code that refuses.
    Answer,
    /// The name of the relay has no address.
    UnknownHost,
    /// Nothing listens at the port.
    Refused,
    /// The network does not lead there.
    Unreachable,
    /// No answer in time.
    TooSlow,
    /// The connection ended.
    Closed,
    /// The answer is not SMTP (RFC 5321).
    NotSmtp,
    /// The relay does not speak TLS at this port.
    NotTls,
    /// The relay does not offer STARTTLS, and the settings need it.
    NoStarttls,
    /// Nobody who is trusted has issued the certificate.
    UnknownIssuer,
    /// The certificate is self-signed, and is not in `ca_file`.
    SelfSigned,
    #[allow(missing_docs)]
    Expired,
    #[allow(missing_docs)]
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// Another fault of TLS.
    OtherTls,
    /// The certificate authorities of the system, or `ca_file`, cannot be read.
    NoAuthorities,
    /// The relay offers no sign-in that is known here: PLAIN or LOGIN.
    NoSignIn,
    /// The mail cannot be written in the format of mails.
    Unusable,
    /// The file cannot be written.
    File,
}

const STAGES: [(Stage, &str); 8] = [
    (Stage::Connect, "connect"),
    (Stage::Tls, "tls"),
    (Stage::Greeting, "greeting"),
    (Stage::Auth, "auth"),
    (Stage::Sender, "sender"),
    (Stage::Recipient, "recipient"),
    (Stage::Data, "data"),
    (Stage::Folder, "folder"),
];

const CAUSES: [(Cause, &str); 19] = [
    (Cause::Answer, "answer"),
    (Cause::UnknownHost, "unknown_host"),
    (Cause::Refused, "refused"),
    (Cause::Unreachable, "unreachable"),
    (Cause::TooSlow, "too_slow"),
    (Cause::Closed, "closed"),
    (Cause::NotSmtp, "not_smtp"),
    (Cause::NotTls, "not_tls"),
    (Cause::NoStarttls, "no_starttls"),
    (Cause::UnknownIssuer, "unknown_issuer"),
    (Cause::SelfSigned, "self_signed"),
    (Cause::Expired, "expired"),
    (Cause::NotYetValid, "not_yet_valid"),
    (Cause::WrongName, "wrong_name"),
    (Cause::OtherTls, "other_tls"),
    (Cause::NoAuthorities, "no_authorities"),
    (Cause::NoSignIn, "no_sign_in"),
    (Cause::Unusable, "unusable"),
    (Cause::File, "file"),
];

impl Stage {
    /// Its name in the log and in the database.
    pub fn name(self) -> &'static str {
        STAGES.iter().find(|(stage, _)| *stage == self).map_or("", |(_, name)| name)
    }

    /// The stage of this name.
    pub fn parse(name: &str) -> Option<Self> {
        STAGES.iter().find(|(_, known)| *known == name).map(|(stage, _)| *stage)
    }
}

impl Cause {
    /// Its name in the log and in the database.
    pub fn name(self) -> &'static str {
        CAUSES.iter().find(|(cause, _)| *cause == self).map_or("", |(_, name)| name)
    }

    /// The cause of this name.
    pub fn parse(name: &str) -> Option<Self> {
        CAUSES.iter().find(|(_, known)| *known == name).map(|(cause, _)| *cause)
    }
}

/// Why a mail was not sent, without any text of another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MailFailure {
    pub stage: Stage,
    /// The SMTP code of the answer. `None`: there was none.
    pub code: Option<u16>,
    pub cause: Cause,
}

impl MailFailure {
    /// Whether to give the mail up: the relay has refused this mail for good. Everything else is trouble of the relay or of
    /// the settings, which somebody can mend.
    pub fn is_final(self) -> bool {
        let is_about_mail = matches!(self.stage, Stage::Recipient | Stage::Data);
        let is_refused = self.code.is_some_and(|code| (500..600).contains(&code) && !SIGN_IN_CODES.contains(&code));
        is_about_mail && (is_refused || self.cause == Cause::Unusable)
    }

    /// Whether every other mail would fail in the same way now.
    pub fn is_about_relay(self) -> bool {
        // 421 for a recipient may be about that recipient only. If it is not, the next mail finds out.
        let is_before = !matches!(self.stage, Stage::Recipient | Stage::Data | Stage::Folder);
        is_before || self.code.is_some_and(|code| SIGN_IN_CODES.contains(&code))
    }

    /// Whether the relay wants a sign-in or TLS before it does anything else.
    pub fn wants_tls(self) -> bool {
        self.code.is_some_and(|code| code == 530 || code == 538)
    }

    /// What happened, in one sentence.
    pub fn sentence(self) -> String {
        let what = match (self.cause, self.stage) {
            (Cause::Answer, _) if self.wants_tls() => "The mail relay wants a sign-in or TLS first",
            (Cause::Answer, _) if self.code == Some(421) => "The mail relay ended the connection",
            (Cause::Answer, Stage::Auth) => "The mail relay refused the name or the password",
            (Cause::Answer, Stage::Sender) => "The mail relay refused the sender",
            (Cause::Answer, Stage::Recipient) if self.is_final() => "The mail relay refused the recipient",
            (Cause::Answer, Stage::Data) if self.is_final() => "The mail relay refused the mail",
            (Cause::Answer, Stage::Recipient | Stage::Data) => "The mail relay wants the mail later",
            (Cause::Answer, Stage::Tls) => "The mail relay refused STARTTLS",
            (Cause::Answer, _) => "The mail relay refused the connection",
            (Cause::UnknownHost, _) => "The name of the mail relay has no address",
            (Cause::Refused, _) => "Nothing listens at the port of the mail relay",
            (Cause::Unreachable, _) => "The mail relay cannot be reached",
            (Cause::TooSlow, _) => "The mail relay did not answer in time",
            (Cause::Closed, _) => "The mail relay closed the connection",
            (Cause::NotSmtp, _) => "What answers at the port of the mail relay is not SMTP",
            (Cause::NotTls, _) => "The mail relay does not speak TLS at this port",
            (Cause::NoStarttls, _) => "The mail relay does not offer STARTTLS",
            (Cause::UnknownIssuer, _) => "The certificate of the mail relay has an issuer that is not trusted",
            (Cause::SelfSigned, _) => "The certificate of the mail relay is self-signed and not trusted",
            (Cause::Expired, _) => "The certificate of the mail relay has expired",
            (Cause::NotYetValid, _) => "The certificate of the mail relay is not valid yet",
            (Cause::WrongName, _) => "The certificate of the mail relay is for another name",
            (Cause::OtherTls, _) => "TLS with the mail relay failed",
            (Cause::NoAuthorities, _) => "The trusted certificate authorities cannot be read",
            (Cause::NoSignIn, _) => "The mail relay offers no sign-in with a password",
            (Cause::Unusable, _) => "The mail cannot be written",
            (Cause::File, _) => "The file of the mail cannot be written",
        };
        match self.code {
            Some(code) => format!("{what} ({}: {code}).", self.stage.name()),
            None => format!("{what} ({}).", self.stage.name()),
        }
    }

    /// What to do, in one sentence or two.
    pub fn cure(self) -> &'static str {
        match (self.cause, self.stage) {
            (Cause::Answer, _) if self.wants_tls() => {
                "Put a name and a password into mail.smtp_url, or begin it with smtps://. Then restart the server."
            }
            (Cause::Answer, _) if self.code.is_some_and(|code| (400..500).contains(&code)) => {
                "Wait: it is tried again by itself. If that lasts, ask the operator of the relay."
            }
            (Cause::Answer, Stage::Auth) => {
                "Correct name and password in mail.smtp_url, percent-encoded, then restart the server. Waiting mails are sent then."
            }
            (Cause::Answer, Stage::Sender) => "Set mail.from to an address for which the relay may send.",
            (Cause::Answer, Stage::Recipient) => "Check the address. The mail is not sent again.",
            (Cause::Answer, Stage::Data) => "Ask the operator of the relay why. The mail is not sent again.",
            (Cause::Answer, _) => "Ask the operator of the relay whether this machine may use it.",
            (Cause::UnknownHost, _) => "Check the host in mail.smtp_url, and the name server of this machine.",
            (Cause::Refused, _) => "Check host and port in mail.smtp_url, and whether the relay runs.",
            (Cause::Unreachable, _) => "Check the network and the firewall between this machine and the relay.",
            (Cause::TooSlow, Stage::Greeting) => {
                "Check the port in mail.smtp_url: port 465 needs smtps://, ports 25 and 587 need smtp://."
            }
            (Cause::TooSlow, _) => "Check host and port in mail.smtp_url, and the firewall.",
            (Cause::Closed, _) => "Look into the log of the relay, which says why.",
            (Cause::NotSmtp, _) => "Check the port in mail.smtp_url.",
            (Cause::NotTls, _) => {
                "Begin mail.smtp_url with smtp:// for ports 25 and 587, and with smtps:// for port 465."
            }
            (Cause::NoStarttls, _) => {
                "Begin mail.smtp_url with smtps:// if the relay has a port for TLS, usually 465. A password is never sent without TLS."
            }
            (Cause::UnknownIssuer, _) => {
                "Add the certificate of its authority to those of the system (update-ca-certificates), or name its PEM file in mail.ca_file."
            }
            (Cause::SelfSigned, _) => "Name the PEM file of this certificate in mail.ca_file.",
            (Cause::Expired, _) => {
                "Renew the certificate at the relay. If it is valid, check the clock of this machine."
            }
            (Cause::NotYetValid, _) => "Check the clock of this machine and of the relay.",
            (Cause::WrongName, _) => "Use a name of the certificate as the host in mail.smtp_url.",
            (Cause::OtherTls, _) => "Look at the dialogue: domicile mail test ADDRESS",
            (Cause::NoAuthorities, _) => {
                "Install ca-certificates, or check that the user of the server can read the PEM file in mail.ca_file."
            }
            (Cause::NoSignIn, _) => "Ask the operator of the relay for a port with AUTH PLAIN or LOGIN.",
            (Cause::Unusable, _) => "Check the address.",
            (Cause::File, _) => "Check the folder in mail.directory: its owner, its mode and the free space.",
        }
    }
}

/// Why a mail was not sent, with what the relay said. That may name the recipient, so it is never logged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
#[allow(missing_docs)]
pub struct DeliveryError {
    pub failure: MailFailure,
    pub detail: String,
}

impl DeliveryError {
    pub(in crate::outbound) fn new(stage: Stage, cause: Cause, detail: impl Into<String>) -> Self {
        let detail: String = detail.into();
        Self {
            failure: MailFailure { stage, code: None, cause },
            detail: detail.chars().filter(|c| !c.is_control()).take(ANSWER_CHARS_MAX).collect(),
        }
    }

    pub(super) fn answer(stage: Stage, code: u16, text: &str) -> Self {
        let error = Self::new(stage, Cause::Answer, format!("{code} {text}"));
        Self { failure: MailFailure { code: Some(code), ..error.failure }, ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(stage: Stage, code: u16) -> MailFailure {
        DeliveryError::answer(stage, code, "no").failure
    }

    #[test]
    fn only_a_refusal_of_the_mail_itself_is_final() {
        for (stage, code) in [(Stage::Recipient, 550), (Stage::Recipient, 552), (Stage::Data, 552), (Stage::Data, 554)]
        {
            let failure = answered(stage, code);
            assert!(failure.is_final() && !failure.is_about_relay(), "{failure:?}");
        }
        for (stage, code) in [
            (Stage::Greeting, 554),
            (Stage::Auth, 535),
            (Stage::Auth, 454),
            (Stage::Sender, 530),
            (Stage::Sender, 552),
            (Stage::Recipient, 530),
            (Stage::Sender, 421),
        ] {
            let failure = answered(stage, code);
            assert!(!failure.is_final() && failure.is_about_relay(), "{failure:?}");
        }
        for (stage, code) in [(Stage::Recipient, 451), (Stage::Recipient, 421), (Stage::Data, 452)] {
            let failure = answered(stage, code);
            assert!(!failure.is_final() && !failure.is_about_relay(), "{failure:?}");
        }
        assert!(!DeliveryError::new(Stage::Data, Cause::Closed, "").failure.is_final());
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (stage, name) in STAGES {
            assert_eq!((stage.name(), Stage::parse(name)), (name, Some(stage)));
        }
        for (cause, name) in CAUSES {
            assert_eq!((cause.name(), Cause::parse(name)), (name, Some(cause)));
            let failure = MailFailure { stage: Stage::Tls, code: None, cause };
            assert!(!failure.cure().is_empty() && failure.sentence().ends_with("(tls)."));
        }
    }
}
