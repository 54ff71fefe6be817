//! The table that a measurement prints.

use std::fmt::Write as _;
use std::io::Write as _;

/// Rows under a title, and what to know when reading them.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    figure: String,
    ratio: String,
    goal: String,
}

/// What a ratio should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    /// A figure that others are compared with, or that stands for itself.
    pub(crate) fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { what: what.into(), figure: figure.into(), ratio: String::new(), goal: String::new() }
    }

    /// The figure as a part or a multiple of another.
    pub(crate) fn ratio(self, ratio: f64, of: &str) -> Self {
        Self { ratio: format!("{ratio:.2} × {of}"), ..self }
    }

    /// What `ratio` should be, and whether it is.
    pub(crate) fn goal(self, ratio: f64, goal: Goal) -> Self {
        let (sign, bound, holds) = match goal {
            Goal::AtLeast(bound) => ("≥", bound, ratio >= bound),
            Goal::AtMost(bound) => ("≤", bound, ratio <= bound),
        };
        Self { goal: format!("{sign} {bound:.2} {}", if holds { "holds" } else { "MISSED" }), ..self }
    }
}

impl Table {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn print(&self) {
        let width = |cell: fn(&Row) -> &str| {
            self.rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or_default()
        };
        let (what, figure) = (width(|row| &row.what), width(|row| &row.figure));
        let ratio = width(|row| &row.ratio);
        let mut text = format!("\n{}\n", self.title);
        for row in &self.rows {
            let Row { what: a, figure: b, ratio: c, goal: d } = row;
            let line = format!("  {a:<what$}  {b:>figure$}  {c:<ratio$}  {d}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {note}");
        }
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}

/// A figure per second, with its thousands apart.
pub(crate) fn per_second(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text + " /s"
}

/// The one in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
