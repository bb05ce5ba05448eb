//! Money: integers that count millionths of a credit. Floating-point numbers are never used.

/// The maximum of an amount or a balance, in micro-credits: 10^15, one thousand million credits.
///
/// It is far below `i64::MAX`, so that SQLite's `sum()` over any wallet stays an integer.
const MICRO_MAX: i64 = 1_000_000_000_000_000;
/// The number of decimals of a credit.
const DECIMALS: usize = 6;
const MICRO_PER_CREDIT: i64 = 1_000_000;

/// An amount of credit: 1.00 credit is 1.00 of the site's currency. A charge is negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Credits(i64);

/// How much of a priced unit was used, in millionths of the unit. Always positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Quantity(i64);

/// Why a text or a sum is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyError {
    /// Not a plain decimal number such as `25` or `0.001`.
    NotADecimal,
    /// It has more than six decimals. We do not round, because there is no rule for it.
    TooPrecise,
    /// It exceeds the maximum of an amount.
    TooLarge,
    /// It is zero where a positive number is required.
    NotPositive,
}

impl Credits {
    /// No credit.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 1,000,000,000.00 credits.
    pub const MAX: Self = Self(MICRO_MAX);

    /// From millionths of a credit. `None`: beyond [`Credits::MAX`], positive or negative.
    pub fn from_micro(micro: i64) -> Option<Self> {
        (-MICRO_MAX..=MICRO_MAX).contains(&micro).then_some(Self(micro))
    }

    /// An amount of whole credits, for constants and tests.
    pub const fn whole(credits: u32) -> Self {
        Self(credits as i64 * MICRO_PER_CREDIT)
    }

    /// The amount in millionths of a credit.
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// Reads a decimal number such as `25`, `25.00` or `0.000001`: without sign and exponent, with at most six
    /// decimals.
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

    /// The amount in whole cents, rounded toward zero, so that a balance never looks larger than it is.
    pub const fn cents(self) -> i64 {
        self.0 / (MICRO_PER_CREDIT / 100)
    }

    /// The amount for pages: two decimals, thousands separators, rounded toward zero: `1,234.50`.
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

impl Credits {
    /// The amount for pages with two decimals, or with more if it has more: a charge of a tenth of a cent is not shown as "0.00".
    pub fn in_full(self) -> String {
        if self.0 % (MICRO_PER_CREDIT / 100) == 0 {
            self.for_people()
        } else {
            self.to_string().replace('-', "\u{2212}")
        }
    }
}

impl std::fmt::Display for Credits {
    /// The exact amount for programs: two to six decimals, no separators: `-0.001`, `25.00`.
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
    /// Those of [`Credits::parse`], and [`MoneyError::NotPositive`] for zero.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        match parse_micro(text)? {
            0 => Err(MoneyError::NotPositive),
            micro => Ok(Self(micro)),
        }
    }

    /// From millionths of the unit. `None`: not positive, or too large.
    pub fn from_micro(micro: i64) -> Option<Self> {
        (1..=MICRO_MAX).contains(&micro).then_some(Self(micro))
    }

    /// The quantity in millionths of the unit.
    pub const fn micro(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Total::default().plus(*self).fmt(f)
    }
}

/// A sum of quantities, in millionths of the unit. It may exceed the maximum of a single quantity.
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
    fn decimals_are_read_exactly_or_refused() {
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
    fn a_sum_of_quantities_may_exceed_the_maximum_of_one() {
        let most = Quantity::from_micro(MICRO_MAX).unwrap();
        let little = Quantity::parse("0.5").unwrap();

        assert_eq!(Total::default().plus(little).plus(little).to_string(), "1");
        assert_eq!(Total::default().plus(most).plus(most).plus(little).to_string(), "2000000000.5");
    }

    #[test]
    fn pages_show_two_decimals_rounded_toward_zero_and_programs_get_all_decimals() {
        let little = Credits::from_micro(-9_999).unwrap();

        assert_eq!((little.for_people(), little.to_string(), little.cents()), ("0.00".into(), "-0.009999".into(), 0));
        assert_eq!(Credits::whole(1_234_567).for_people(), "1,234,567.00");
        assert_eq!(Credits::whole(5).to_string(), "5.00");
        assert_eq!(Credits::whole(5).negated().for_people(), "\u{2212}5.00");
    }
}
