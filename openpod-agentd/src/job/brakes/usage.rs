//! What a worker says it used: the JSON of `$OPENPOD_USAGE_FILE`. A claim, which only ever brakes.
//!
//! ```json
//! {"input_tokens": 48210, "output_tokens": 3120, "cost_usd": 0.41}
//! ```
//!
//! Totals of this run so far, each of them optional; `tokens` instead of the two, where a worker knows only the sum. What
//! else stands there is not looked at. What is negative, no number or beyond all reason is refused, with all beside it.

use serde::{Deserialize, Serialize};

/// What was used, as far as it was claimed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of a language model, in both directions.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub cost_micros: u64,
}

/// Why a claim is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadClaim {
    /// Perhaps it is being written.
    #[error("it is no JSON object of numbers")]
    Unreadable,
    /// Nothing can be used so.
    #[error("it holds a negative number")]
    Negative,
    /// No run can use so much.
    #[error("it claims more than any run can use")]
    Absurd,
}

/// A trillion. More than any model reads in a year.
const MOST_TOKENS: f64 = 1e12;
/// A million dollars.
const MOST_USD: f64 = 1e6;

#[derive(Deserialize)]
struct Claim {
    tokens: Option<f64>,
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    cost_usd: Option<f64>,
}

impl Usage {
    /// Reads a claim.
    pub fn claimed(json: &[u8]) -> Result<Self, BadClaim> {
        let claim: Claim = serde_json::from_slice(json).map_err(|_| BadClaim::Unreadable)?;
        let all = [claim.tokens, claim.input_tokens, claim.output_tokens, claim.cost_usd];
        if all.into_iter().flatten().any(|number| number < 0.0) {
            return Err(BadClaim::Negative);
        }
        let cost = claim.cost_usd.unwrap_or(0.0);
        // The sum, where it is given beside its parts, may be the larger: it brakes the sooner.
        let parts: f64 = claim.input_tokens.unwrap_or(0.0) + claim.output_tokens.unwrap_or(0.0);
        let tokens = claim.tokens.unwrap_or(0.0).max(parts);
        if !(tokens <= MOST_TOKENS && cost <= MOST_USD) {
            return Err(BadClaim::Absurd);
        }
        Ok(Self { tokens: tokens.ceil() as u64, cost_micros: (cost * 1e6).ceil() as u64 })
    }

    /// More of it.
    pub fn add(&mut self, more: Usage) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.cost_micros = self.cost_micros.saturating_add(more.cost_micros);
    }

    /// The larger of each: what was claimed once is not taken back.
    #[must_use]
    pub fn or_more(self, other: Usage) -> Usage {
        Usage { tokens: self.tokens.max(other.tokens), cost_micros: self.cost_micros.max(other.cost_micros) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_claim_is_read_with_tolerance_and_refused_where_it_cannot_be() {
        let usage = |tokens, cost_micros| Ok(Usage { tokens, cost_micros });
        let table = [
            (r#"{"input_tokens": 48210, "output_tokens": 3120, "cost_usd": 0.41}"#, usage(51_330, 410_000)),
            (r#"{"tokens": 7, "model": "m", "nested": {"cost_usd": -1}}"#, usage(7, 0)),
            (r#"{"tokens": 9, "input_tokens": 5, "output_tokens": 6}"#, usage(11, 0)),
            (r#"{"input_tokens": null, "cost_usd": 1e-7}"#, usage(0, 1)),
            (r#"{"output_tokens": 12.0}"#, usage(12, 0)),
            ("{}", usage(0, 0)),
            (r#"{"cost_usd": -0.01}"#, Err(BadClaim::Negative)),
            (r#"{"input_tokens": -5, "output_tokens": 10}"#, Err(BadClaim::Negative)),
            (r#"{"input_tokens": 1e300}"#, Err(BadClaim::Absurd)),
            (r#"{"cost_usd": 1000001}"#, Err(BadClaim::Absurd)),
            (r#"{"cost_usd": "0.41"}"#, Err(BadClaim::Unreadable)),
            (r#"{"cost_usd": NaN}"#, Err(BadClaim::Unreadable)),
            (r#"{"cost_usd": 1e999}"#, Err(BadClaim::Unreadable)),
            (r#"{"input_tokens": 48"#, Err(BadClaim::Unreadable)),
            ("[1, 2]", Err(BadClaim::Unreadable)),
            ("", Err(BadClaim::Unreadable)),
        ];
        for (json, expected) in table {
            assert_eq!(Usage::claimed(json.as_bytes()), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_worker_writes_is_refused_or_within_reason(bytes in any::<Vec<u8>>(), tokens in any::<f64>(), cost in any::<f64>()) {
            let _ = Usage::claimed(&bytes);
            if let Ok(usage) = Usage::claimed(format!("{{\"tokens\": {tokens:e}, \"cost_usd\": {cost:e}}}").as_bytes()) {
                prop_assert!(usage.tokens as f64 <= MOST_TOKENS && usage.cost_micros as f64 <= MOST_USD * 1e6);
            }
        }
    }
}
