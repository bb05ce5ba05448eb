//! Money: integers of a millionth of a credit. No floats in, no floats out.

/// Most that a single amount or balance may be, in micro-credits: 10^15, one thousand million credits.
///
/// Far below `i64::MAX`, so that SQLite's `sum()` over any wallet stays an integer (it turns to a float on overflow).
const MICRO_MAX: i64 = 1_000_000_000_000_000;
/// Decimals of a credit that count.
const DECIMALS: usize = 6;
const MICRO_PER_CREDIT: i64 = 1_000_000;

/// An amount of credit; 1.00 credit is 1.00 of the site's currency. May be negative (a charge).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Credits(i64);

/// How much of a priced thing was used, in millionths of its unit; always positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Quantity(i64);

/// Why a text or a sum is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyError {
    /// Not a plain decimal number such as `25` or `0.001`.
    NotADecimal,
    /// More than six decimals: it would have to be rounded, and nobody said how.
    TooPrecise,
    /// Beyond what an amount may be.
    TooLarge,
    /// Zero or less where only more than zero makes sense.
    NotPositive,
}

impl Credits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount there is: 1,000,000,000.00 credits.
    pub const MAX: Self = Self(MICRO_MAX);

    /// From millionths of a credit. `None`: beyond [`Credits::MAX`] either way.
    pub fn from_micro(micro: i64) -> Option<Self> {
        (-MICRO_MAX..=MICRO_MAX).contains(&micro).then_some(Self(micro))
    }

    /// Whole credits, for constants and tests.
    pub const fn whole(credits: u32) -> Self {
        Self(credits as i64 * MICRO_PER_CREDIT)
    }

    /// Millionths of a credit.
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// Reads `25`, `25.00`, `0.000001`; not negative, no exponent, no sign, at most six decimals.
    ///
    /// # Errors
    /// [`MoneyError::NotADecimal`], [`MoneyError::TooPrecise`], [`MoneyError::TooLarge`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        parse_micro(text).map(Self)
    }

    /// The sum. `None`: too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::from_micro(self.0.checked_add(other.0)?)
    }

    /// The difference. `None`: too large.
    pub fn minus(self, other: Self) -> Option<Self> {
        Self::from_micro(self.0.checked_sub(other.0)?)
    }

    /// The opposite amount: a charge for a grant.
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// Whole cents, rounded toward zero: nobody is shown money that is not there.
    pub const fn cents(self) -> i64 {
        self.0 / (MICRO_PER_CREDIT / 100)
    }

    /// For screens: two decimals, thousands separated, rounded toward zero: `1,234.50`.
    pub fn for_people(self) -> String {
        let cents = self.cents().unsigned_abs();
        let digits = (cents / 100).to_string();
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if self.cents() < 0 { "\u{2212}" } else { "" };
        format!("{sign}{grouped}.{:02}", cents % 100)
    }
}

impl std::fmt::Display for Credits {
    /// For machines: at least two decimals, at most six, no separators: `-0.001`, `25.00`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, micro) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let fraction = format!("{:06}", micro % MICRO_PER_CREDIT as u64);
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{}.{}", micro / MICRO_PER_CREDIT as u64, &fraction[..kept])
    }
}

impl Quantity {
    /// Reads a decimal above zero with at most six decimals.
    ///
    /// # Errors
    /// As [`Credits::parse`], and [`MoneyError::NotPositive`] for zero.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        match parse_micro(text)? {
            0 => Err(MoneyError::NotPositive),
            micro => Ok(Self(micro)),
        }
    }

    /// From millionths of the unit. `None`: not above zero, or too large.
    pub fn from_micro(micro: i64) -> Option<Self> {
        (1..=MICRO_MAX).contains(&micro).then_some(Self(micro))
    }

    /// Millionths of the unit.
    pub const fn micro(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Total::default().plus(*self).fmt(f)
    }
}

/// A sum of quantities, in millionths of the unit. What one use may be does not bound what many are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total(u128);

impl Total {
    /// The sum. It cannot overflow: 2^77 of the largest quantities would fit.
    pub const fn plus(self, quantity: Quantity) -> Self {
        Self(self.0 + quantity.0.unsigned_abs() as u128)
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNIT: u128 = MICRO_PER_CREDIT as u128;
        let fraction = format!("{:06}", self.0 % UNIT);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / UNIT),
            kept => write!(f, "{}.{kept}", self.0 / UNIT),
        }
    }
}

fn parse_micro(text: &str) -> Result<i64, MoneyError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let bare_point = text.contains('.') && fraction.is_empty();
    if whole.is_empty() || bare_point || !digits(whole) || !digits(fraction) {
        return Err(MoneyError::NotADecimal);
    }
    if fraction.len() > DECIMALS {
        return Err(MoneyError::TooPrecise);
    }
    let whole: i64 = whole.parse().map_err(|_| MoneyError::TooLarge)?;
    let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| MoneyError::NotADecimal)?;
    whole
        .checked_mul(MICRO_PER_CREDIT)
        .and_then(|micro| micro.checked_add(fraction))
        .filter(|micro| *micro <= MICRO_MAX)
        .ok_or(MoneyError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(Credits::parse("25.00"), Ok(Credits::whole(25)));
        assert_eq!(Credits::parse("0.000001").map(Credits::micro), Ok(1));
        assert_eq!(Credits::parse("1000000000"), Ok(Credits::MAX));
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "NaN", "0x1", "1,000", " 1", "١"] {
            assert_eq!(Credits::parse(bad), Err(MoneyError::NotADecimal), "{bad:?}");
        }
        assert_eq!(Credits::parse("0.0000001"), Err(MoneyError::TooPrecise));
        assert_eq!(Credits::parse("1000000000.000001"), Err(MoneyError::TooLarge));
        assert_eq!(Credits::parse("99999999999999999999"), Err(MoneyError::TooLarge));
        assert_eq!(Quantity::parse("0"), Err(MoneyError::NotPositive));
    }

    #[test]
    fn a_sum_of_quantities_goes_beyond_what_one_may_be() {
        let most = Quantity::from_micro(MICRO_MAX).unwrap();
        let little = Quantity::parse("0.5").unwrap();

        assert_eq!(Total::default().plus(little).plus(little).to_string(), "1");
        assert_eq!(Total::default().plus(most).plus(most).plus(little).to_string(), "2000000000.5");
    }

    #[test]
    fn people_see_two_decimals_toward_zero_and_machines_see_everything() {
        let little = Credits::from_micro(-9_999).unwrap();

        assert_eq!((little.for_people(), little.to_string(), little.cents()), ("0.00".into(), "-0.009999".into(), 0));
        assert_eq!(Credits::whole(1_234_567).for_people(), "1,234,567.00");
        assert_eq!(Credits::whole(5).to_string(), "5.00");
        assert_eq!(Credits::whole(5).negated().for_people(), "\u{2212}5.00");
    }
}
