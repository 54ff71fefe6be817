//! Pages of a list: where the next one begins, and statements with as many filters as were asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openpod_sdk::api::Page;

use super::{ToValue, Value};

/// How many items a page has unless told.
pub const DEFAULT_LIMIT: u32 = 20;

/// Where a page begins: after the item with this sort key and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The sort key of the last item of the page before.
    pub key: i64,
    /// Its id.
    pub id: String,
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list gave out")]
pub struct BadCursor;

impl Cursor {
    /// Reads what [`Cursor::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Cursor, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| BadCursor)?;
        let (key, id) = text.split_once(' ').ok_or(BadCursor)?;
        let is_id =
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let key = key.parse().map_err(|_| BadCursor)?;
        if is_id { Ok(Cursor { key, id: id.to_owned() }) } else { Err(BadCursor) }
    }

    /// The cursor as it travels.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.key, self.id))
    }
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// How many items.
    pub limit: u32,
    /// After which item.
    pub after: Option<Cursor>,
}

impl Window {
    /// From the `limit` and `cursor` of a query.
    pub fn new(limit: Option<u32>, cursor: Option<&str>) -> Result<Window, BadCursor> {
        Ok(Window { limit: limit.unwrap_or(DEFAULT_LIMIT), after: cursor.map(Cursor::parse).transpose()? })
    }

    /// A page from one row more than it holds; `place` tells the sort key and id of an item.
    pub fn page<T>(&self, mut rows: Vec<T>, place: impl Fn(&T) -> (i64, String)) -> Page<T> {
        let limit = self.limit as usize;
        if rows.len() <= limit {
            return Page::last(rows);
        }
        rows.truncate(limit);
        let next = rows.last().map(|item| {
            let (key, id) = place(item);
            Cursor { key, id }.to_text()
        });
        Page { data: rows, next_cursor: next }
    }
}

/// A `SELECT` under construction: conditions with their parameters, then order and limit.
#[derive(Debug)]
pub struct Select {
    sql: String,
    params: Vec<Value>,
    conditions: usize,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest sort key first.
    Ascending,
    /// Largest sort key first.
    Descending,
}

impl Select {
    /// Begins with everything before `WHERE`.
    pub fn from(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new(), conditions: 0 }
    }

    /// The same, when values go into that; each `?` in it is one of `values`.
    pub fn with(sql: &str, values: &[&dyn ToValue]) -> Self {
        let mut select = Self::from("");
        select.push(sql, values);
        select
    }

    /// Adds a condition; each `?` in it is one of `values`.
    pub fn filter(&mut self, condition: &str, values: &[&dyn ToValue]) {
        self.sql.push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.conditions += 1;
        self.push(condition, values);
    }

    /// Adds a condition when there is a value for its one `?`.
    pub fn filter_some<T: ToValue>(&mut self, condition: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.filter(condition, &[value]);
        }
    }

    /// Adds a condition whose `(?)` becomes the list of `values`, unless the list is empty.
    pub fn filter_any(&mut self, condition: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        let list: Vec<&str> = values.iter().map(|_| "?").collect();
        let condition = condition.replace("(?)", &format!("({})", list.join(", ")));
        let values: Vec<&dyn ToValue> = values.iter().map(|value| value as &dyn ToValue).collect();
        self.filter(&condition, &values);
    }

    /// Orders by `key` and `id`, begins after the window's cursor, and asks for one row more than fits, which tells
    /// whether there is another page.
    pub fn window(mut self, window: &Window, key: &str, id: &str, order: Order) -> (String, Vec<Value>) {
        let (than, way) = match order {
            Order::Ascending => (">", "ASC"),
            Order::Descending => ("<", "DESC"),
        };
        if let Some(Cursor { key: last, id: last_id }) = &window.after {
            self.filter(&format!("({key}, {id}) {than} (?, ?)"), &[last, last_id]);
        }
        let limit = self.bind(Value::Integer(i64::from(window.limit) + 1));
        self.sql.push_str(&format!(" ORDER BY {key} {way}, {id} {way} LIMIT {limit}"));
        (self.sql, self.params)
    }

    /// The statement as it is, with `rest` after its conditions; each `?` in it is one of `values`.
    pub fn finish(mut self, rest: &str, values: &[&dyn ToValue]) -> (String, Vec<Value>) {
        self.sql.push(' ');
        self.push(rest, values);
        (self.sql, self.params)
    }

    fn push(&mut self, text: &str, values: &[&dyn ToValue]) {
        let mut values = values.iter();
        for part in text.split_inclusive('?') {
            match (part.strip_suffix('?'), values.next()) {
                (Some(text), Some(value)) => {
                    let name = self.bind(value.to_value());
                    self.sql.push_str(text);
                    self.sql.push_str(&name);
                }
                _ => self.sql.push_str(part),
            }
        }
    }

    fn bind(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("${}", self.params.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_garbage_is_refused() {
        let cursor = Cursor { key: -5, id: "018f-a".into() };
        assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor));
        for bad in ["", "x", "!!", &URL_SAFE_NO_PAD.encode("5"), &URL_SAFE_NO_PAD.encode("5 a'b")] {
            assert_eq!(Cursor::parse(bad), Err(BadCursor), "{bad}");
        }
    }

    #[test]
    fn the_last_full_page_has_no_cursor() {
        let window = Window { limit: 2, after: None };
        let place = |n: &i64| (*n, n.to_string());
        assert_eq!(window.page(vec![1, 2], place).next_cursor, None);
        let page = window.page(vec![1, 2, 3], place);
        assert_eq!(page.data, [1, 2]);
        assert_eq!(Cursor::parse(&page.next_cursor.unwrap()), Ok(Cursor { key: 2, id: "2".into() }));
    }

    #[test]
    fn conditions_are_numbered_in_the_order_they_come() {
        let mut select = Select::from("SELECT * FROM t");
        select.filter("a = ?", &[&"x"]);
        select.filter_some("b = ?", &None::<i64>);
        select.filter_any("c IN (?)", &["p".into(), "q".into()]);
        let window = Window { limit: 20, after: Some(Cursor { key: 7, id: "i".into() }) };
        let (sql, params) = select.window(&window, "k", "id", Order::Descending);
        assert_eq!(
            sql,
            "SELECT * FROM t WHERE a = $1 AND c IN ($2, $3) AND (k, id) < ($4, $5) ORDER BY k DESC, id DESC LIMIT $6"
        );
        assert_eq!(params.len(), 6);
    }
}
