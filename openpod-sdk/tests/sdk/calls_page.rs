//! The page with every call in curl and in Rust says what the contract says.

use openpod_sdk::api::{Access, ENDPOINTS};

const PAGE: &str = include_str!("../../src/calls.md");

#[test]
fn every_operation_has_its_call_in_the_order_of_the_reference() {
    let sections: Vec<&str> = PAGE.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), ENDPOINTS.len());
    for (section, row) in sections.iter().zip(&ENDPOINTS) {
        let heading = format!("`{} {}`", row.method, row.path);
        assert_eq!(section.lines().next(), Some(heading.as_str()));
        let curl = section.lines().find(|line| line.starts_with("curl ")).unwrap();
        let method = if row.method == "GET" { String::new() } else { format!("-X {} ", row.method) };
        // Up to its first value the path stands in the line as it is.
        let beginning = row.path.split('{').next().unwrap();
        let asked = format!("curl {method}\"$URL{}{beginning}", row.access.base_path());
        assert!(curl.starts_with(&asked), "{curl}");
        assert_eq!(curl.contains("Bearer $KEY"), row.access != Access::Public, "{curl}");
        assert!(section.contains("client."), "{heading} has no Rust");
    }
}
