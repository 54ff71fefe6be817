//! What stories look at: whole lists, events on their way, and every way of asking a list wrongly.

use std::collections::BTreeSet;

use http::Method;
use openpod_server::store::{StoreError, ToValue};
use serde_json::{Value, json};

use super::world::{AGENT, Person, World, text};

pub(super) const NOBODY: &str = "018f0000-0000-7000-8000-000000000000";

impl World {
    /// Every item of a list, page by page: no page is longer than `limit`, no item comes twice, only the last page has
    /// no cursor.
    pub(super) async fn walk(&self, path: &str, who: &Person, limit: usize) -> Vec<Value> {
        let (mut items, mut ids, mut cursor) = (Vec::new(), BTreeSet::new(), String::new());
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{joint}limit={limit}{cursor}"), who).await;
            let next = page.json.get("next_cursor").cloned();
            let page = page.expect(200);
            let page = page.as_array().unwrap();
            assert!(
                page.len() <= limit && (page.len() == limit || next.is_none()),
                "{path}: {} items",
                page.len()
            );
            for item in page {
                assert!(ids.insert(text(&item["id"])), "{path}: {item} came twice");
            }
            items.extend(page.iter().cloned());
            match next {
                Some(next) => cursor = format!("&cursor={}", text(&next)),
                None => return items,
            }
        }
    }

    /// Has an agent listen to every event.
    pub(super) async fn listen(&self, agent: &Person) {
        let webhook =
            json!({"url": "https://hooks.example.com/x", "events": ["*"], "secret": "a secret of mine"});
        self.post(&format!("{AGENT}/webhooks"), agent, webhook).await.expect(201);
    }

    /// What an agent that listens was told so far, oldest first.
    pub(super) async fn told(&self, agent: &Person) -> Vec<Value> {
        let id = agent.id.clone();
        let bodies: Result<Vec<String>, StoreError> = self
            .app
            .store()
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT d.body FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id \
                               WHERE w.agent_id = $1 ORDER BY d.id";
                    tx.all(sql, &[id.to_value()], |row| row.get("body")).await
                })
            })
            .await;
        bodies.unwrap().iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    /// The words of the events that an agent was told.
    pub(super) async fn events(&self, agent: &Person) -> Vec<String> {
        self.told(agent).await.iter().map(|delivery| text(&delivery["event"])).collect()
    }

    /// Gives a project another status. No operation does that yet.
    pub(super) async fn close_project(&self, id: &str, status: &str) {
        let params = [id.to_value(), status.to_value()];
        let closed: Result<u64, StoreError> = self
            .app
            .store()
            .write(move |tx| {
                Box::pin(
                    async move { tx.execute("UPDATE projects SET status = $2 WHERE id = $1", &params).await },
                )
            })
            .await;
        assert_eq!(closed.unwrap(), 1);
    }

    /// A list refuses limits out of bounds, cursors that it did not give out, and parameters that it does not know.
    pub(super) async fn refuses_wrong_pages(&self, path: &str, who: &Person) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let wrong = [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=ten",
            "limit=",
            "cursor=",
            "cursor=x",
            "cursor=!!!",
            "cursor=NSBhJ2I",
            "limit=5&limit=6",
            "colour=red",
        ];
        for query in wrong {
            let answer = self.get(&format!("{path}{joint}{query}"), who).await;
            assert_eq!(answer.refusal(), (400, "invalid_request"), "{path} {query}");
        }
        self.get(&format!("{path}{joint}limit=1"), who).await.expect(200);
        self.get(&format!("{path}{joint}limit=100"), who).await.expect(200);
    }

    /// Calls that are refused, each with its status and code.
    pub(super) async fn refuses(&self, who: &Person, table: &[(Method, String, Value, (u16, &str))]) {
        for (method, path, body, expected) in table {
            let sent = (!body.is_null()).then(|| body.clone());
            let answer = self.call(method.clone(), path, Some(who), sent).await;
            assert_eq!(answer.refusal(), *expected, "{method} {path} {body}: {}", answer.json["error"]);
        }
    }
}

/// The values of one field.
pub(super) fn each(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| text(&item[field])).collect()
}

/// The items of a list.
pub(super) fn items(list: Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_else(|| panic!("{list} is no list"))
}
