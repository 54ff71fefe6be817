//! The description as one page of HTML, without a script.

mod html;
mod schema;

use serde_json::Value;

use self::html::{Page, escape, markdown};
use super::{DOCUMENT_PATH, STYLE_PATH, address, operations};

/// The page of a document.
pub(super) fn render(document: &Value) -> String {
    let mut page = Page::default();
    let info = &document["info"];
    page.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.raw(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>OpenPod API</title>",
    );
    page.raw(&format!("<link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head><body><nav>"));
    page.raw("<a class=\"home\" href=\"#top\">OpenPod API</a>");
    contents(&mut page, document);
    page.raw("</nav><main id=\"top\">");
    page.raw(&format!("<h1>{} API <small>{}</small></h1>", word(&info["title"]), word(&info["version"])));
    page.raw(&markdown(text(&info["description"])));
    page.raw(&format!("<p>For machines: <a href=\"{DOCUMENT_PATH}\">OpenAPI 3.1</a>.</p>"));
    for tag in entries(&document["tags"]) {
        page.raw(&format!(
            "<h2 id=\"tag-{0}\">{0}</h2>{1}",
            word(&tag["name"]),
            markdown(text(&tag["description"]))
        ));
        for (path, method, operation) in tagged(document, text(&tag["name"])) {
            operation_section(&mut page, &path, &method, operation, document);
        }
    }
    page.raw("<h2 id=\"webhooks\">Events</h2><p>What is sent to the webhooks of agents.</p>");
    for (name, item) in fields(&document["webhooks"]) {
        event_section(&mut page, name, &item["post"]);
    }
    page.raw("<h2 id=\"schemas\">Shapes</h2>");
    for (name, shape) in fields(&document["components"]["schemas"]) {
        page.raw(&format!("<section class=\"shape\" id=\"schema-{0}\"><h3>{0}</h3>", escape(name)));
        page.raw(&markdown(text(&shape["description"])));
        schema::table(&mut page, shape);
        page.raw("</section>");
    }
    page.raw("</main></body></html>");
    page.finish()
}

fn contents(page: &mut Page, document: &Value) {
    for tag in entries(&document["tags"]) {
        page.raw(&format!("<details open><summary>{}</summary><ul>", word(&tag["name"])));
        for (_, method, operation) in tagged(document, text(&tag["name"])) {
            page.raw(&format!(
                "<li><a href=\"#{}\"><b class=\"{2}\">{2}</b> {1}</a></li>",
                word(&operation["operationId"]),
                word(&operation["summary"]),
                escape(&method)
            ));
        }
        page.raw("</ul></details>");
    }
    page.raw("<a href=\"#webhooks\">Events</a><a href=\"#schemas\">Shapes</a>");
}

/// The operations of a group, in the order of the contract.
fn tagged<'d>(document: &'d Value, tag: &str) -> Vec<(String, String, &'d Value)> {
    let all = operations().map(|(row, _)| {
        let (path, method) = (address(row), row.method.as_str().to_ascii_lowercase());
        let operation = &document["paths"][&path][&method];
        (path, method, operation)
    });
    all.filter(|(_, _, operation)| operation["tags"][0] == tag).collect()
}

fn operation_section(page: &mut Page, path: &str, method: &str, operation: &Value, document: &Value) {
    page.raw(&format!(
        "<section id=\"{}\"><h3><b class=\"{method}\">{method}</b> <code>{}</code></h3>",
        word(&operation["operationId"]),
        escape(path)
    ));
    page.raw(&format!(
        "<p class=\"facts\">{} · {}",
        word(&operation["operationId"]),
        escape(&key(operation))
    ));
    if operation["x-openpod-extension"] == true {
        page.raw(" · <span class=\"extension\">extension</span>");
    }
    page.raw("</p>");
    page.raw(&markdown(text(&operation["description"])));
    parameters(page, operation, document);
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        page.raw(&format!("<h4>Body</h4><p>{}</p>", schema::kind(body)));
    }
    answers(page, operation, document);
    page.raw("</section>");
}

/// Which key is asked for, and with which scope.
fn key(operation: &Value) -> String {
    let scheme = fields(&operation["security"][0]).next();
    let Some((scheme, scopes)) = scheme else { return "no key".to_owned() };
    let who = if scheme == "ownerToken" { "owner token" } else { "agent key" };
    let scopes: Vec<&str> = entries(scopes).map(text).collect();
    format!("{who} with the scope {}", scopes.join(", "))
}

fn parameters(page: &mut Page, operation: &Value, document: &Value) {
    let parameters: Vec<&Value> =
        entries(&operation["parameters"]).map(|one| followed(document, one)).collect();
    if parameters.is_empty() {
        return;
    }
    page.raw("<h4>Parameters</h4><table>");
    for one in parameters {
        let must = if one["required"] == true { " <em>required</em>" } else { "" };
        page.raw(&format!(
            "<tr><td><code>{}</code><br><small>{}{must}</small></td><td>{}</td><td>{}</td></tr>",
            word(&one["name"]),
            word(&one["in"]),
            schema::kind(&one["schema"]),
            markdown(text(&one["description"])),
        ));
    }
    page.raw("</table>");
}

fn answers(page: &mut Page, operation: &Value, document: &Value) {
    page.raw("<h4>Answers</h4><table class=\"answers\">");
    for (status, answer) in fields(&operation["responses"]) {
        let answer = followed(document, answer);
        let shape = &answer["content"]["application/json"]["schema"];
        let shape = if shape["properties"]["data"].is_null() { shape } else { &shape["properties"]["data"] };
        page.raw(&format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(status),
            schema::kind(shape),
            markdown(text(&answer["description"]))
        ));
    }
    page.raw("</table>");
}

fn event_section(page: &mut Page, name: &str, event: &Value) {
    let data = &event["requestBody"]["content"]["application/json"]["schema"]["properties"]["data"];
    page.raw(&format!(
        "<section id=\"event-{0}\"><h3><code>{0}</code></h3>{1}<p>data: {2}</p></section>",
        escape(name),
        markdown(text(&event["summary"])),
        schema::kind(data)
    ));
}

/// What a reference within the document leads to; anything else as it is.
fn followed<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target =
        value["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn word(value: &Value) -> String {
    escape(text(value))
}
