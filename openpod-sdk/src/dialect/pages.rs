//! Pages where the service has none of ours: cursors that hold an offset, and cuts that are made here.

use serde_json::Value;

use super::rule::{Keep, List};

/// How our cursors begin here.
const OFFSET: &str = "offset:";
/// The cursor after the last item that can be reached, where there may be more. Whoever sends it learns why.
pub(super) const BEYOND: &str = "beyond-reach";

/// What a request asked of its list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut {
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) keep: Vec<(Keep, Value)>,
}

/// The offset that a cursor of ours holds.
pub(super) fn offset_in(cursor: &str) -> Option<usize> {
    cursor.strip_prefix(OFFSET)?.parse().ok()
}

impl List {
    /// The `limit` and `offset` to be sent.
    pub(super) fn asks(self, cut: &Cut) -> (Option<usize>, Option<usize>) {
        match self {
            List::None | List::Whole { .. } => (None, None),
            List::Offset { cap, .. } => {
                (cut.limit.map(|limit| limit.min(cap)), Some(cut.offset).filter(|offset| *offset > 0))
            }
            List::Newest { cap, .. } => (cut.limit.map(|limit| limit.min(cap)), None),
        }
    }

    /// The page that was asked for, and the cursor to the next one.
    pub(super) fn page(self, items: Vec<Value>, cut: &Cut) -> (Vec<Value>, Option<String>) {
        let came = items.len();
        let wanted = |item: &Value| cut.keep.iter().all(|(keep, wanted)| keep(item, wanted));
        let items: Vec<Value> = items.into_iter().filter(wanted).collect();
        match self {
            List::None => (items, None),
            List::Offset { default, cap } => {
                let asked = cut.limit.unwrap_or(default).min(cap);
                let next = cut.offset.saturating_add(asked);
                let next = (came >= asked).then(|| format!("{OFFSET}{next}"));
                (items, next)
            }
            List::Newest { default, cap } => {
                let asked = cut.limit.unwrap_or(default).min(cap);
                (items, (came >= asked).then(|| BEYOND.to_owned()))
            }
            List::Whole { cap } => {
                let beyond = |limit| cut.offset.saturating_add(limit);
                let end = cut.limit.map_or(items.len(), |limit| beyond(limit).min(items.len()));
                let next = if end < items.len() {
                    Some(format!("{OFFSET}{end}"))
                } else {
                    cap.filter(|cap| came >= *cap).map(|_| BEYOND.to_owned())
                };
                (items.into_iter().take(end).skip(cut.offset).collect(), next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(range: std::ops::Range<usize>) -> Vec<Value> {
        range.map(Value::from).collect()
    }

    fn cut(limit: Option<usize>, offset: usize) -> Cut {
        Cut { limit, offset, keep: Vec::new() }
    }

    #[test]
    fn an_offset_goes_on_while_pages_are_full() {
        let list = List::Offset { default: 20, cap: 50 };
        assert_eq!(list.asks(&cut(Some(100), 50)), (Some(50), Some(50)));
        assert_eq!(list.asks(&cut(None, 0)), (None, None));
        assert_eq!(list.page(numbers(0..50), &cut(Some(100), 50)).1.as_deref(), Some("offset:100"));
        assert_eq!(list.page(numbers(0..20), &cut(None, 0)).1.as_deref(), Some("offset:20"));
        assert_eq!(list.page(numbers(0..49), &cut(Some(100), 50)).1, None);
    }

    #[test]
    fn a_cursor_beyond_all_numbers_leads_to_nothing() {
        let far = cut(Some(50), usize::MAX);
        assert_eq!(List::Whole { cap: None }.page(numbers(0..9), &far), (Vec::new(), None));
        assert!(List::Offset { default: 20, cap: 50 }.page(numbers(0..50), &far).1.is_some());
    }

    #[test]
    fn what_is_filtered_here_does_not_end_the_list() {
        let list = List::Offset { default: 20, cap: 50 };
        let none = Cut { keep: vec![(|_, _| false, Value::Null)], ..cut(None, 0) };
        assert_eq!(list.page(numbers(0..20), &none), (Vec::new(), Some("offset:20".to_owned())));
    }

    #[test]
    fn a_whole_list_is_cut_here_and_says_where_it_ends_out_of_reach() {
        let list = List::Whole { cap: Some(100) };
        assert_eq!(list.asks(&cut(Some(10), 0)), (None, None));
        let (page, next) = list.page(numbers(0..100), &cut(Some(40), 40));
        assert_eq!((page, next.as_deref()), (numbers(40..80), Some("offset:80")));
        let (page, next) = list.page(numbers(0..100), &cut(Some(40), 80));
        assert_eq!((page, next.as_deref()), (numbers(80..100), Some(BEYOND)));
        assert_eq!(list.page(numbers(0..99), &cut(None, 0)), (numbers(0..99), None));
    }

    #[test]
    fn every_item_of_a_whole_list_comes_once() {
        let list = List::Whole { cap: None };
        let (mut seen, mut offset) = (Vec::new(), 0);
        loop {
            let (page, next) = list.page(numbers(0..37), &cut(Some(10), offset));
            seen.extend(page);
            let Some(next) = next else { break };
            offset = offset_in(&next).unwrap();
        }
        assert_eq!(seen, numbers(0..37));
    }
}
