//! Money: whole cents, and how a payout is split.

use std::fmt;
use std::iter::Sum;

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

    /// Both together; `None` where no amount can hold that.
    ///
    /// There is no `+` and no `-`: what a service tells can be any number, and a sum of money that wraps is worse than none.
    /// Many are added up with [`Iterator::sum`]:
    ///
    /// ```
    /// use openpod_sdk::api::Cents;
    ///
    /// let earned = [Cents(4500), Cents(900)];
    /// assert_eq!(earned.into_iter().sum::<Option<Cents>>(), Some(Cents(5400)));
    /// assert_eq!(Cents(i64::MAX).checked_add(Cents(1)), None);
    /// ```
    pub const fn checked_add(self, other: Cents) -> Option<Cents> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Cents(sum)),
            None => None,
        }
    }

    /// What is left of it without the other, below zero too; `None` where no amount can hold that.
    pub const fn checked_sub(self, other: Cents) -> Option<Cents> {
        match self.0.checked_sub(other.0) {
            Some(left) => Some(Cents(left)),
            None => None,
        }
    }

    /// What is left of it without the other, or the amount next to that: for comparing, not for booking.
    pub const fn saturating_sub(self, other: Cents) -> Cents {
        Cents(self.0.saturating_sub(other.0))
    }

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

/// All of them together, in whatever order they come; `None` where no amount can hold that.
impl Sum<Cents> for Option<Cents> {
    fn sum<I: Iterator<Item = Cents>>(amounts: I) -> Option<Cents> {
        let sum: i128 = amounts.map(|amount| i128::from(amount.0)).sum();
        i64::try_from(sum).ok().map(Cents)
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
            prop_assert_eq!(split.commission.checked_add(split.earned), Some(Cents(payout)));
            prop_assert!(split.commission >= Cents(0) && split.earned >= Cents(0));
        }

        #[test]
        fn no_amount_is_too_large_to_be_split(payout in any::<i64>()) {
            let split = Cents(payout).split_payout();
            prop_assert_eq!(split.commission.checked_add(split.earned), Some(Cents(payout)));
        }
    }

    #[test]
    fn the_ends_of_what_an_amount_can_be_are_split_too() {
        for payout in [i64::MIN, i64::MAX] {
            let split = Cents(payout).split_payout();
            assert_eq!(split.commission.checked_add(split.earned), Some(Cents(payout)));
        }
    }

    #[test]
    fn a_sum_that_no_amount_can_hold_is_none_and_never_another_one() {
        let (least, most) = (Cents(i64::MIN), Cents(i64::MAX));
        assert_eq!((most.checked_add(Cents(1)), least.checked_sub(Cents(1))), (None, None));
        assert_eq!((Cents(0).checked_sub(least), least.checked_add(most)), (None, Some(Cents(-1))));
        assert_eq!((Cents(-2).saturating_sub(most), most.saturating_sub(Cents(-2))), (least, most));
        let sum = |amounts: &[Cents]| amounts.iter().copied().sum::<Option<Cents>>();
        assert_eq!((sum(&[]), sum(&[most, Cents(1)]), sum(&[least, least])), (Some(Cents(0)), None, None));
        assert_eq!(sum(&[most, most, Cents(-7), least, least]), Some(Cents(-9)), "the order is no matter");
    }

    #[test]
    fn amounts_print_as_dollars() {
        assert_eq!(Cents(5000).to_string(), "$50.00");
        assert_eq!(Cents(-7).to_string(), "-$0.07");
        assert_eq!(Cents(i64::MIN).to_string(), "-$92233720368547758.08");
    }
}
