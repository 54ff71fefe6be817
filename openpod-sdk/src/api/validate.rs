//! What a request must satisfy beyond its types: lengths, ranges, known values.
//!
//! The limits stand beside the types they bind. A server refuses what violates them with 400 and names each field;
//! a client may ask first and save the round trip.

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
        if violations.0.is_empty() { Ok(()) } else { Err(violations) }
    }
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
pub struct Violations(Vec<Violation>);

impl Violations {
    /// The refused fields, in the order they were looked at.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    /// Notes that `field` must be something it is not.
    pub fn add(&mut self, field: impl Into<String>, must: impl Into<String>) {
        self.0.push(Violation { field: field.into(), must: must.into() });
    }

    /// Notes `must` unless `holds`.
    pub fn require(&mut self, holds: bool, field: &str, must: impl Into<String>) {
        if !holds {
            self.add(field, must);
        }
    }

    /// Text of `min` to `max` characters, not counting white space around it for `min`.
    pub fn text(&mut self, field: &str, text: &str, min: usize, max: usize) {
        if text.trim().chars().count() < min {
            let must =
                if min == 1 { "not be empty".to_owned() } else { format!("have at least {min} characters") };
            self.add(field, must);
        }
        self.require(text.chars().count() <= max, field, format!("have at most {max} characters"));
        self.require(!text.contains('\0'), field, "not contain the NUL character");
    }

    /// [`Violations::text`] for a field that may be absent.
    pub fn optional_text(&mut self, field: &str, text: Option<&String>, min: usize, max: usize) {
        if let Some(text) = text {
            self.text(field, text, min, max);
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
        self.require(
            texts.len() >= min,
            field,
            format!("have at least {min} {}", if min == 1 { "entry" } else { "entries" }),
        );
        self.require(texts.len() <= max, field, format!("have at most {max} entries"));
        for (n, text) in texts.iter().enumerate().take(max) {
            self.text(&format!("{field}[{n}]"), text, 1, length);
        }
    }

    /// An id of the platform: a UUID in its text form, hyphens included.
    pub fn id(&mut self, field: &str, id: impl AsRef<str>) {
        self.require(is_uuid(id.as_ref()), field, "be a UUID");
    }

    /// [`Violations::id`] for a field that may be absent.
    pub fn optional_id(&mut self, field: &str, id: Option<impl AsRef<str>>) {
        if let Some(id) = id {
            self.id(field, id);
        }
    }

    /// A value of a closed list. `known` says whether it is one.
    pub fn one_of(&mut self, field: &str, known: bool, values: &[&str]) {
        if !known {
            self.add(field, format!("be one of {}", values.join(", ")));
        }
    }

    /// An amount of zero or more, up to [`Cents::MAX`].
    pub fn amount(&mut self, field: &str, amount: Option<Cents>) {
        if let Some(amount) = amount {
            self.require(
                (Cents(0)..=Cents::MAX).contains(&amount),
                field,
                format!("be from 0 to {} cents", Cents::MAX.0),
            );
        }
    }

    /// The `limit` of a list: 1 to 100.
    pub fn limit(&mut self, limit: Option<u32>) {
        if let Some(limit) = limit {
            self.require((1..=100).contains(&limit), "limit", "be from 1 to 100");
        }
    }

    /// An absolute http or https address of at most 2000 characters.
    pub fn web_address(&mut self, field: &str, text: &str) {
        let fits = text.len() <= 2000
            && url::Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        self.require(fits, field, "be an http or https address of at most 2000 characters");
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Violation { field, must }) in self.0.iter().enumerate() {
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

fn is_uuid(text: &str) -> bool {
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
            violations.iter().count() > 0
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
