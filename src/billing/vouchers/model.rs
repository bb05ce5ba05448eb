//! Batches and codes, and their rules. Pure.

use std::time::Duration;

use super::super::ledger::Origin;
use crate::base::{Credits, Rng, Secret, Timestamp, VoucherBatchId, VoucherCodeId, fold_code};

/// Codes of a batch at most: as many as the reader of a pipe gets at once.
pub const CODES_MAX: u32 = 1000;
/// Uses of a promo code at most.
pub const USES_MAX: u32 = 1_000_000;
/// The characters of a promo code, at least and at most. A code with 20 is a voucher.
pub const PROMO_CHARS: (usize, usize) = (4, CHARS - 1);

/// Crockford's alphabet: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The characters of a voucher. The last one is computed from the others.
const CHARS: usize = 20;
const GROUP: usize = 5;

/// What the codes of a batch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoucherKind {
    /// Codes that were sold and work once each. Their credit counts as paid.
    Voucher,
    /// One code that is given to many people.
    Promo,
}

impl VoucherKind {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voucher => "voucher",
            Self::Promo => "promo",
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Voucher, Self::Promo].into_iter().find(|kind| kind.as_str() == text)
    }

    /// The origin of the credit.
    pub(super) const fn origin(self) -> Origin {
        match self {
            Self::Voucher => Origin::Voucher,
            Self::Promo => Origin::Promo,
        }
    }
}

/// The codes of a batch that is about to be made.
#[derive(Clone, Debug)]
pub enum NewCodes {
    /// So many random codes, each of which works once: 1 to [`CODES_MAX`].
    Vouchers(u32),
    /// One code that was chosen.
    Promo {
        #[allow(missing_docs)]
        code: VoucherCode,
        /// How often it works: 1 to [`USES_MAX`].
        uses: u32,
        /// How often it works for one account: at least 1.
        uses_per_account: u32,
    },
}

impl NewCodes {
    /// What they are.
    pub const fn kind(&self) -> VoucherKind {
        match self {
            Self::Vouchers(_) => VoucherKind::Voucher,
            Self::Promo { .. } => VoucherKind::Promo,
        }
    }
}

/// A batch that is about to be made.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// The credit of each use, above zero.
    pub amount: Credits,
    /// What people read in their statement: 1 to 200 characters.
    pub reason: String,
    #[allow(missing_docs)]
    pub codes: NewCodes,
    /// How long the codes can be redeemed. `None`: for ever.
    pub lasts: Option<Duration>,
    /// How long the credit is valid. `None`: for ever. Credit of vouchers expires only where the site lets paid credit
    /// expire.
    pub credit_lasts: Option<Duration>,
}

/// A batch as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Batch {
    pub id: VoucherBatchId,
    pub kind: VoucherKind,
    pub reason: String,
    /// The credit of each use.
    pub amount: Credits,
    /// How many codes it has.
    pub codes: u32,
    /// How often each code works.
    pub uses_max: u32,
    /// How often each code works for one account.
    pub uses_per_account: u32,
    /// How long the credit is valid. `None`: for ever.
    pub credit_lasts: Option<Duration>,
    pub created_at: Timestamp,
    /// Until when its codes can be redeemed. `None`: for ever.
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// How often its codes were redeemed.
    pub uses: i64,
}

/// Whether the codes of a batch work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Some do.
    Active,
    /// Each was redeemed as often as it can be.
    UsedUp,
    /// Their time is over.
    Expired,
    /// An operator ended them.
    Revoked,
}

impl BatchState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::UsedUp => "used_up",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Batch {
    /// Whether its codes work at this time.
    pub fn state(&self, now: Timestamp) -> BatchState {
        if self.revoked_at.is_some() {
            BatchState::Revoked
        } else if self.uses >= self.uses_in_all() {
            BatchState::UsedUp
        } else if self.expires_at.is_some_and(|end| end <= now) {
            BatchState::Expired
        } else {
            BatchState::Active
        }
    }

    /// How often all its codes work together.
    pub fn uses_in_all(&self) -> i64 {
        i64::from(self.codes) * i64::from(self.uses_max)
    }
}

/// A code of a batch, and what it gives.
#[derive(Clone, Debug)]
pub(super) struct StoredCode {
    pub id: VoucherCodeId,
    pub batch: VoucherBatchId,
    pub kind: VoucherKind,
    pub reason: String,
    pub amount: Credits,
    pub uses_per_account: u32,
    pub credit_lasts: Option<Duration>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl StoredCode {
    /// Whether it can be redeemed at this time, if it has a use left.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Why a typed text cannot be a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeFault {
    /// It is empty, or has fewer or more characters than any code.
    Length,
    /// It is as long as a voucher, but its last character does not fit to the others.
    Mistyped,
}

/// A code.
#[derive(Clone, Debug)]
pub struct VoucherCode {
    /// In lower case and without what is typed between its characters.
    text: Secret<String>,
    /// As people see it.
    shown: Secret<String>,
}

impl VoucherCode {
    /// A new voucher: 95 random bits, and the character that shows typing errors.
    pub(super) fn generate(rng: &mut Rng) -> Self {
        let mut values: Vec<u8> = (1..CHARS).map(|_| u8::try_from(rng.below(32)).unwrap_or_default()).collect();
        values.push(doubled(remainder(&values)));
        let text: String = values.into_iter().map(|value| char::from(ALPHABET[usize::from(value)])).collect();
        let upper = text.to_uppercase();
        let groups: Vec<&str> = (0..CHARS).step_by(GROUP).filter_map(|at| upper.get(at..at + GROUP)).collect();
        Self { shown: Secret::new(groups.join("-")), text: Secret::new(text) }
    }

    /// Reads what a person typed. Upper case, hyphens, spaces and full-width forms are allowed, and `o`, `i` and `l` are read
    /// as the digits they look like.
    ///
    /// # Errors
    /// [`CodeFault`]. That a voucher was mistyped is no secret: everybody can compute it.
    pub fn parse(typed: &str) -> Result<Self, CodeFault> {
        let folded = fold_code(typed);
        let read = folded.chars().map(|typed| match typed {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        });
        let code: String = read.take(CHARS + 1).collect();
        let count = code.chars().count();
        if !(PROMO_CHARS.0..=CHARS).contains(&count) {
            return Err(CodeFault::Length);
        }
        if count == CHARS && !is_voucher(&code) {
            return Err(CodeFault::Mistyped);
        }
        Ok(Self { text: Secret::new(code), shown: Secret::new(typed.trim().to_owned()) })
    }

    /// Reads the code that an operator chose: ASCII letters and digits, with hyphens and spaces between them. `None`: it has
    /// others, or not 4 to 19 of them.
    pub fn parse_promo(chosen: &str) -> Option<Self> {
        let code = Self::parse(chosen).ok()?;
        let is_typed_by_everybody = code.text().bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_typed_by_everybody && code.text().len() < CHARS).then_some(code)
    }

    /// A voucher in upper case and in groups; a promo code as it was chosen.
    pub const fn shown(&self) -> &Secret<String> {
        &self.shown
    }

    pub(super) fn text(&self) -> &str {
        self.text.expose()
    }
}

/// Whether 20 characters are a voucher without a typing error.
fn is_voucher(code: &str) -> bool {
    let value = |typed: u8| ALPHABET.iter().position(|known| *known == typed).and_then(|at| u8::try_from(at).ok());
    let values: Option<Vec<u8>> = code.bytes().map(value).collect();
    values.is_some_and(|values| remainder(&values) == 0)
}

/// The remainder of the characters as a polynomial over the field of 32 elements, at 2: it is zero for a voucher. One wrong
/// character changes it, and so do two that are exchanged.
fn remainder(values: &[u8]) -> u8 {
    values.iter().fold(0, |sum, value| doubled(sum) ^ value)
}

/// Twice an element of that field, modulo x⁵ + x² + 1.
const fn doubled(value: u8) -> u8 {
    let twice = value << 1;
    if twice & 0b10_0000 == 0 { twice } else { twice ^ 0b10_0101 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_typing_error_of_one_character_shows() {
        let mut rng = Rng::seeded(3);
        for _ in 0..20 {
            let code = VoucherCode::generate(&mut rng);
            assert_eq!(VoucherCode::parse(code.shown().expose()).unwrap().text(), code.text());
            let whole = code.text().as_bytes();
            for place in 0..CHARS {
                for other in ALPHABET.iter().filter(|other| **other != whole[place]) {
                    let mut typed = whole.to_vec();
                    typed[place] = *other;
                    let fault = VoucherCode::parse(std::str::from_utf8(&typed).unwrap());
                    assert_eq!(fault.unwrap_err(), CodeFault::Mistyped);
                }
                if place > 0 && whole[place] != whole[place - 1] {
                    let mut typed = whole.to_vec();
                    typed.swap(place, place - 1);
                    let fault = VoucherCode::parse(std::str::from_utf8(&typed).unwrap());
                    assert_eq!(fault.unwrap_err(), CodeFault::Mistyped);
                }
            }
        }
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code = VoucherCode::generate(&mut Rng::seeded(9));
        let grouped = code.shown().clone();
        assert_eq!(grouped.expose().len(), 23);
        for typed in
            [grouped.expose().to_lowercase(), grouped.expose().replace('-', " "), grouped.expose().replace('0', "o")]
        {
            assert_eq!(VoucherCode::parse(&typed).unwrap().text(), code.text(), "{typed}");
        }
        for (typed, fault) in
            [("", CodeFault::Length), ("abc", CodeFault::Length), ("abcdefghjkmnpqrstvwxyz", CodeFault::Length)]
        {
            assert_eq!(VoucherCode::parse(typed).unwrap_err(), fault, "{typed}");
        }
        assert!(!format!("{code:?}").contains(code.text()));
    }

    #[test]
    fn a_promo_code_is_shorter_than_a_voucher_and_easy_to_type() {
        let text = |chosen| VoucherCode::parse_promo(chosen).map(|code| code.shown().expose().clone());
        assert_eq!(text(" Welcome-24 ").as_deref(), Some("Welcome-24"));
        assert_eq!(VoucherCode::parse("WELCOME 24").unwrap().text(), "we1c0me24");
        for bad in ["abc", "abcdefghjkmnpqrstvwx", "größe-2026", ""] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }
}
