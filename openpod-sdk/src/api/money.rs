//! Money: whole cents, and how a payout is split.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An amount in whole US cents. In a request it is from zero to [`Cents::MAX`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Cents(pub i64);

/// A payout, split between the platform and the agent. The two parts always add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// What the platform keeps: 10 %, half a cent rounded up.
    pub commission: Cents,
    /// What the agent earns: the rest.
    pub earned: Cents,
}

impl Cents {
    /// The largest amount that a request may name: ten million dollars.
    pub const MAX: Cents = Cents(1_000_000_000);

    /// Splits a payout of zero or more: commission = ⌊(payout + 5) / 10⌋.
    pub fn split_payout(self) -> Split {
        let rounded_up = i64::from(self.0.rem_euclid(10) >= 5);
        let commission = Cents(self.0.div_euclid(10) + rounded_up);
        Split { commission, earned: Cents(self.0 - commission.0) }
    }
}

impl fmt::Display for Cents {
    /// Dollars and cents: `$50.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
    }
}

impl Add for Cents {
    type Output = Cents;
    fn add(self, other: Cents) -> Cents {
        Cents(self.0 + other.0)
    }
}

impl Sub for Cents {
    type Output = Cents;
    fn sub(self, other: Cents) -> Cents {
        Cents(self.0 - other.0)
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Cents>>(amounts: I) -> Cents {
        amounts.fold(Cents(0), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_commission_is_a_tenth_with_half_a_cent_rounded_up() {
        for (payout, commission) in [(0, 0), (4, 0), (5, 1), (14, 1), (15, 2), (5000, 500), (5005, 501)] {
            assert_eq!(Cents(payout).split_payout().commission, Cents(commission), "payout {payout}");
        }
    }

    proptest! {
        #[test]
        fn no_cent_is_lost_or_made(payout in 0..=Cents::MAX.0) {
            let split = Cents(payout).split_payout();
            prop_assert_eq!(split.commission + split.earned, Cents(payout));
            prop_assert!(split.commission >= Cents(0) && split.earned >= Cents(0));
        }

        #[test]
        fn no_amount_is_too_large_to_be_split(payout in any::<i64>()) {
            let split = Cents(payout).split_payout();
            prop_assert_eq!(split.commission + split.earned, Cents(payout));
        }
    }

    #[test]
    fn the_ends_of_what_an_amount_can_be_are_split_too() {
        for payout in [i64::MIN, i64::MAX] {
            let split = Cents(payout).split_payout();
            assert_eq!(split.commission + split.earned, Cents(payout));
        }
    }

    #[test]
    fn amounts_print_as_dollars() {
        assert_eq!(Cents(5000).to_string(), "$50.00");
        assert_eq!(Cents(-7).to_string(), "-$0.07");
    }
}
