use super::*;

#[test]
fn every_operation_of_the_contract_is_described_once() {
    let document = document();
    let described: usize =
        document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(described, operations().count());
    assert_eq!(document["webhooks"].as_object().unwrap().len(), 9);
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value, seen: &mut usize) {
        if let Some(reference) = value["$ref"].as_str() {
            *seen += 1;
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| walk(document, value, seen)),
            Value::Array(entries) => entries.iter().for_each(|value| walk(document, value, seen)),
            _ => {}
        }
    }
    let (document, mut seen) = (document(), 0);
    walk(&document, &document, &mut seen);
    assert!(seen > 300, "{seen}");
}

#[test]
fn no_text_shows_a_link_into_the_code() {
    let text = document().to_string();
    assert!(
        !text.contains("[`") && !text.contains("::"),
        "{:?}",
        text.find("::").map(|at| &text[at - 60..at + 20])
    );
}

#[test]
fn the_page_names_every_operation_and_loads_nothing_from_elsewhere() {
    let html = page::render(&document());
    for (row, _) in operations() {
        assert!(html.contains(&format!("id=\"{}\"", row.name)), "{}", row.name);
    }
    for word in ["<script", "src=", "style=", "http-equiv", "//fonts", "href=\"http"] {
        assert!(!html.contains(word), "{word}");
    }
}
