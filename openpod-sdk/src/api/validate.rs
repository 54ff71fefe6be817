//! What a request must satisfy beyond its types: lengths, ranges, known values.
//!
//! The limits stand beside the types they bind. A server refuses what violates them with 400 and names each field;
//! a client may ask first and save the round trip. The same walk that checks a value can also tell which limits it
//! met ([`Validate::limits`]), so that a schema of the request says what the server enforces.

use std::fmt;

use super::Cents;

/// A request part that can say what is wrong with it.
pub trait Validate {
    /// Adds what is wrong to `violations`; adds nothing when all is well.
    fn validate(&self, violations: &mut Violations) {
        let _ = violations;
    }

    /// All that is wrong, or `Ok`.
    fn check(&self) -> Result<(), Violations> {
        let mut violations = Violations::default();
        self.validate(&mut violations);
        if violations.found.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// The limits that this value met, kept or not, each with its field. A field that is absent meets none.
    fn limits(&self) -> Vec<(String, Limit)> {
        let mut violations = Violations { found: Vec::new(), met: Some(Vec::new()) };
        self.validate(&mut violations);
        violations.met.unwrap_or_default()
    }
}

/// What a field must keep to, for those who describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// Text of so many characters, not counting white space around it for `min`, and without NUL.
    Text {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// So many characters, whatever they are.
    Length {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A list of so many entries.
    Entries {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A number from `min` to `max`.
    Range {
        /// At least.
        min: i64,
        /// At most.
        max: i64,
    },
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// Text that matches this regular expression of ECMA-262.
    Pattern(&'static str),
    /// A UUID in its text form.
    Uuid,
    /// An absolute http or https address of at most 2000 characters.
    WebAddress,
    /// At least one field must be given.
    SomeField,
}

/// One field that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's name on the wire, `deliverables[0].url` for a nested one.
    pub field: String,
    /// What it must be.
    pub must: String,
}

/// Everything that is wrong with a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    found: Vec<Violation>,
    met: Option<Vec<(String, Limit)>>,
}

impl Violations {
    /// The refused fields, in the order they were looked at.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.found.iter()
    }

    /// Notes that `field` must be something it is not.
    pub fn add(&mut self, field: impl Into<String>, must: impl Into<String>) {
        self.found.push(Violation { field: field.into(), must: must.into() });
    }

    /// Notes `must` unless `holds`.
    pub fn require(&mut self, holds: bool, field: &str, must: impl Into<String>) {
        if !holds {
            self.add(field, must);
        }
    }

    /// Notes `must` unless `holds`, and that `field` met this limit.
    pub fn keep(&mut self, holds: bool, field: &str, limit: Limit, must: impl Into<String>) {
        self.meet(field, limit);
        self.require(holds, field, must);
    }

    fn meet(&mut self, field: &str, limit: Limit) {
        if let Some(met) = &mut self.met {
            met.push((field.to_owned(), limit));
        }
    }

    /// Text of `min` to `max` characters, not counting white space around it for `min`.
    pub fn text(&mut self, field: &str, text: &str, min: usize, max: usize) {
        self.meet(field, Limit::Text { min, max });
        if text.trim().chars().count() < min {
            let must =
                if min == 1 { "not be empty".to_owned() } else { format!("have at least {min} characters") };
            self.add(field, must);
        }
        self.require(text.chars().count() <= max, field, format!("have at most {max} characters"));
        self.require(!text.contains('\0'), field, "not contain the NUL character");
    }

    /// [`Violations::text`] for a field that may be absent.
    pub fn optional_text(&mut self, field: &str, text: Option<impl AsRef<str>>, min: usize, max: usize) {
        if let Some(text) = text {
            self.text(field, text.as_ref(), min, max);
        }
    }

    /// A name that looks like what it is: nothing in it is invisible or turns the direction of writing.
    pub fn name(&mut self, field: &str, text: &str, min: usize, max: usize) {
        self.text(field, text, min, max);
        self.require(text.chars().any(char::is_alphanumeric), field, "contain a letter or digit");
        let hides = |c: char| c.is_control() || is_invisible(c);
        self.require(!text.contains(hides), field, "not contain control or invisible characters");
    }

    /// A list of `min` to `max` texts, each of 1 to `length` characters.
    pub fn texts(&mut self, field: &str, texts: &[String], min: usize, max: usize, length: usize) {
        self.entries(field, texts.len(), min, max);
        for (n, text) in texts.iter().enumerate().take(max) {
            self.text(&format!("{field}[{n}]"), text, 1, length);
        }
    }

    /// A list of `count` entries, which must be `min` to `max`.
    pub fn entries(&mut self, field: &str, count: usize, min: usize, max: usize) {
        self.meet(field, Limit::Entries { min, max });
        let least = format!("have at least {min} {}", if min == 1 { "entry" } else { "entries" });
        self.require(count >= min, field, least);
        self.require(count <= max, field, format!("have at most {max} entries"));
    }

    /// A number from `min` to `max`, for a field that may be absent.
    pub fn range(&mut self, field: &str, number: Option<impl Into<i64>>, min: i64, max: i64) {
        if let Some(number) = number {
            let holds = (min..=max).contains(&number.into());
            self.keep(holds, field, Limit::Range { min, max }, format!("be from {min} to {max}"));
        }
    }

    /// An id of the platform: a UUID in its text form, hyphens included.
    pub fn id(&mut self, field: &str, id: impl AsRef<str>) {
        self.keep(is_uuid(id.as_ref()), field, Limit::Uuid, "be a UUID");
    }

    /// [`Violations::id`] for a field that may be absent.
    pub fn optional_id(&mut self, field: &str, id: Option<impl AsRef<str>>) {
        if let Some(id) = id {
            self.id(field, id);
        }
    }

    /// A value of a closed list. `known` says whether it is one.
    pub fn one_of(&mut self, field: &str, known: bool, values: &[&'static str]) {
        self.meet(field, Limit::OneOf(values.to_vec()));
        if !known {
            self.add(field, format!("be one of {}", values.join(", ")));
        }
    }

    /// An amount of zero or more, up to [`Cents::MAX`].
    pub fn amount(&mut self, field: &str, amount: Option<Cents>) {
        if let Some(amount) = amount {
            let limit = Limit::Range { min: 0, max: Cents::MAX.0 };
            let holds = (Cents(0)..=Cents::MAX).contains(&amount);
            self.keep(holds, field, limit, format!("be from 0 to {} cents", Cents::MAX.0));
        }
    }

    /// The `limit` of a list: 1 to 100.
    pub fn limit(&mut self, limit: Option<u32>) {
        self.range("limit", limit, 1, 100);
    }

    /// An absolute http or https address of at most 2000 characters.
    pub fn web_address(&mut self, field: &str, text: &str) {
        let fits = text.chars().count() <= 2000
            && url::Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        self.keep(fits, field, Limit::WebAddress, "be an http or https address of at most 2000 characters");
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Violation { field, must }) in self.found.iter().enumerate() {
            write!(f, "{}{field} must {must}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

/// Soft hyphen, joiners, marks and overrides of direction, invisible operators, fillers, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_field_is_named_with_its_limit() {
        let mut violations = Violations::default();
        violations.text("title", "  ", 1, 200);
        violations.text("content", &"x".repeat(11), 1, 10);
        violations.id("project_id", "proj_1");
        violations.limit(Some(101));
        assert_eq!(
            violations.to_string(),
            "title must not be empty; content must have at most 10 characters; project_id must be a UUID; \
             limit must be from 1 to 100"
        );
    }

    #[test]
    fn a_name_hides_nothing() {
        let refused = |text: &str| {
            let mut violations = Violations::default();
            violations.name("name", text, 2, 64);
            violations.iter().next().is_some()
        };
        for name in ["ada", "Ada Lovelace", "エージェント", "ägir-7", "किताब"] {
            assert!(!refused(name), "{name:?}");
        }
        for name in
            ["", "x", "--", "a\nb", "a\u{7}b", "ad\u{200b}a", "ada\u{202e}", "a\u{ad}da", "ada\u{e0041}"]
        {
            assert!(refused(name), "{name:?}");
        }
    }
}
