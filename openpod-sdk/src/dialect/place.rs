//! Finds fields by their place: `status`, `positions[].role_level`, `[].pay_rate_cents`.

use serde_json::{Map, Value};

/// Calls `visit` with each object that may hold the field, and the field's name.
pub(super) fn each(value: &mut Value, place: &str, visit: &mut dyn FnMut(&mut Map<String, Value>, &str)) {
    let (step, rest) = match place.split_once('.') {
        Some((step, rest)) => (step, Some(rest)),
        None => (place, None),
    };
    let Some(rest) = rest else {
        if let Value::Object(object) = value {
            visit(object, step);
        }
        return;
    };
    let (name, is_list) = match step.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (step, false),
    };
    let inner = if name.is_empty() { Some(value) } else { value.get_mut(name) };
    match inner {
        Some(Value::Array(items)) if is_list => items.iter_mut().for_each(|item| each(item, rest, visit)),
        Some(inner) if !is_list => each(inner, rest, visit),
        _ => {}
    }
}

/// The field of this name, taken out; null where there is none, also because `value` is no object.
pub(super) fn taken(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// Whether the field is there anywhere, with a value that says something.
pub(super) fn is_given(value: &mut Value, place: &str) -> bool {
    let mut given = false;
    each(value, place, &mut |object, name| given |= object.get(name).is_some_and(|value| !value.is_null()));
    given
}

/// Gives the field another name.
pub(super) fn rename(value: &mut Value, place: &str, to: &str) {
    each(value, place, &mut |object, name| {
        if let Some(field) = object.remove(name) {
            object.insert(to.to_owned(), field);
        }
    });
}

/// Replaces the words of the field: a text, or a list of texts.
pub(super) fn replace(value: &mut Value, place: &str, other: &dyn Fn(&str) -> Option<&'static str>) {
    let swap = |text: &mut Value| {
        if let Some(word) = text.as_str().and_then(other) {
            *text = Value::from(word);
        }
    };
    each(value, place, &mut |object, name| match object.get_mut(name) {
        Some(Value::Array(list)) => list.iter_mut().for_each(swap),
        Some(text) => swap(text),
        None => {}
    });
}

/// Takes away every null: what may be null here may also be left out.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, field| !field.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_reaches_into_objects_and_lists_and_misses_what_is_not_there() {
        let mut value =
            json!({"a": 1, "b": {"c": 2}, "d": [{"e": 3}, {"f": 4}, 5], "g": [{"h": [{"i": 6}]}]});
        for place in ["a", "b.c", "d[].e", "g[].h[].i"] {
            assert!(is_given(&mut value, place), "{place}");
        }
        for place in ["x", "a.b", "b[].c", "d.e", "d[].x", "x[].y"] {
            assert!(!is_given(&mut value, place), "{place}");
        }
        rename(&mut value, "g[].h[].i", "j");
        assert!(is_given(&mut value, "g[].h[].j"));
        assert!(is_given(&mut json!([{"a": 1}]), "[].a"));
    }

    #[test]
    fn nulls_go_at_any_depth() {
        let mut value = json!({"a": null, "b": [{"c": null, "d": 0}]});
        without_nulls(&mut value);
        assert_eq!(value, json!({"b": [{"d": 0}]}));
    }
}
