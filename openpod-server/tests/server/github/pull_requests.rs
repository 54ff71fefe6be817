use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use wiremock::matchers::{header, query_param};

use super::{SHA, Stage, found, status};
use crate::server::world::text;

/// A pull request as the list tells it.
fn listed(number: u64) -> Value {
    json!({
        "number": number, "title": format!("PR {number}"), "state": "open", "draft": false,
        "html_url": format!("https://git.example/org/shop/pull/{number}"), "user": {"login": "wanda[bot]"},
        "head": {"ref": format!("openpod/{number}"), "sha": SHA, "repo": null}, "base": {"ref": "main", "sha": "b"},
        "merged_at": null, "updated_at": "2026-03-12T10:00:00Z", "a_field_of_tomorrow": [],
    })
}

/// The same as it is told alone.
fn alone(number: u64) -> Value {
    let mut told = listed(number);
    told["additions"] = json!(number * 10);
    told["deletions"] = json!(number);
    told["merged"] = json!(false);
    told
}

#[tokio::test]
async fn every_field_of_a_pull_request_is_filled_and_the_facts_are_kept_while_it_stays_the_same() {
    let stage = Stage::new().await;
    let mut merged = listed(2);
    merged["state"] = json!("closed");
    merged["merged_at"] = json!("2026-03-12T10:00:00Z");
    merged["user"] = Value::Null;
    let list = stage.on("GET", "/api/v3/repos/org/shop/pulls").and(query_param("state", "all"));
    let list = list.and(header("authorization", "Bearer ghs_first"));
    list.respond_with(found(json!([listed(3), merged]))).up_to_n_times(2).mount(&stage.github).await;
    let mut merged = alone(2);
    merged["merged"] = json!(true);
    stage.answers("pulls/3", found(alone(3))).await;
    stage.answers("pulls/2", found(merged)).await;

    let answer = stage.pull_requests("all").await.expect(200);
    assert_eq!(
        answer,
        json!({"repo": "org/shop", "state": "all", "count": 2, "pull_requests": [
            {
                "number": 3, "title": "PR 3", "state": "open", "merged": false, "draft": false,
                "url": "https://git.example/org/shop/pull/3", "author": "wanda[bot]",
                "head_branch": "openpod/3", "base_branch": "main", "additions": 30, "deletions": 3,
            },
            {
                "number": 2, "title": "PR 2", "state": "closed", "merged": true, "draft": false,
                "url": "https://git.example/org/shop/pull/2", "author": null,
                "head_branch": "openpod/2", "base_branch": "main", "additions": 20, "deletions": 2,
            },
        ]})
    );
    stage.pull_requests("all").await.expect(200);
    assert_eq!(stage.asked("/api/v3/repos/org/shop/pulls/3").await, 1);

    let mut moved = listed(3);
    moved["head"]["sha"] = json!("another");
    stage.answers("pulls", found(json!([moved]))).await;
    stage.pull_requests("all").await.expect(200);
    assert_eq!(stage.asked("/api/v3/repos/org/shop/pulls/3").await, 2);
}

#[tokio::test]
async fn the_newest_three_hundred_are_listed_in_their_order() {
    let stage = Stage::new().await;
    for page in 1..=4 {
        let numbers = (page * 100 - 99)..=(page * 100);
        let pulls: Vec<Value> = numbers.clone().map(|n| listed(1000 - n)).collect();
        let more = found(json!(pulls)).insert_header("link", "<https://elsewhere.example/2>; rel=\"next\"");
        let list = stage.on("GET", "/api/v3/repos/org/shop/pulls").and(query_param("page", page.to_string()));
        list.respond_with(more).mount(&stage.github).await;
        for n in numbers {
            stage.answers(&format!("pulls/{}", 1000 - n), found(alone(1000 - n))).await;
        }
    }
    let answer = stage.pull_requests("open").await.expect(200);
    let numbers: Vec<u64> = answer["pull_requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pull| pull["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=300).map(|n| 1000 - n).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_list_that_cannot_be_completed_is_a_failure_and_never_a_shorter_list() {
    let broken = json!([{"number": 3}]);
    for (list, detail) in [
        (status(500), found(alone(3))),
        (status(404), found(alone(3))),
        (found(broken), found(alone(3))),
        (found(json!([listed(3)])), status(500)),
        (found(json!([listed(3)])), ResponseTemplate::new(200).set_body_string("{")),
    ] {
        let stage = Stage::new().await;
        stage.answers("pulls", list).await;
        stage.answers("pulls/3", detail).await;
        assert_eq!(stage.pull_requests("open").await.refusal(), (502, "upstream_failed"));
    }
}

#[tokio::test]
async fn a_deliverable_is_verified_with_its_check_runs_and_its_statuses() {
    let run =
        |name: &str, conclusion: &str| json!({"name": name, "status": "completed", "conclusion": conclusion});
    let ci = |state: &str| json!({"context": "ci", "state": state});
    let queued = json!({"name": "slow", "status": "queued", "conclusion": null});
    for (runs, statuses, summary, counts) in [
        (json!([]), json!([]), "no_checks", [0, 0, 0, 0]),
        (
            json!([run("a", "success"), run("b", "skipped")]),
            json!([ci("success")]),
            "all_passed",
            [3, 3, 0, 0],
        ),
        (json!([run("a", "success")]), json!([ci("error")]), "some_failed", [2, 1, 1, 0]),
        (json!([run("a", "stale"), queued]), json!([ci("pending")]), "some_failed", [3, 0, 1, 2]),
        (json!([run("a", "neutral")]), json!([ci("pending")]), "pending", [2, 1, 0, 1]),
        (json!([queued]), json!([]), "pending", [1, 0, 0, 1]),
    ] {
        let stage = Stage::new().await;
        stage.answers("pulls/42", found(alone(42))).await;
        let runs = found(json!({"total_count": 9, "check_runs": runs}));
        stage.answers(&format!("commits/{SHA}/check-runs"), runs).await;
        let statuses = found(json!({"state": "whatever", "statuses": statuses}));
        stage.answers(&format!("commits/{SHA}/status"), statuses).await;
        let verified = stage.verify(&stage.pull(42)).await.expect(200);
        assert_eq!(
            (&verified["valid"], &verified["pr_number"], &verified["pr_title"], &verified["pr_state"]),
            (&json!(true), &json!(42), &json!("PR 42"), &json!("open"))
        );
        assert_eq!((&verified["merged"], &verified["head_sha"]), (&json!(false), &json!(SHA)));
        let [total, passed, failed, pending] = counts;
        let detail = json!({"total": total, "passed": passed, "failed": failed, "pending": pending});
        assert_eq!((&verified["checks_summary"], &verified["checks_detail"]), (&json!(summary), &detail));
        assert_eq!(verified["checks"].as_array().unwrap().len(), total);
    }
}

#[tokio::test]
async fn a_failed_check_on_the_second_page_counts() {
    let stage = Stage::new().await;
    stage.answers("pulls/42", found(alone(42))).await;
    stage.answers(&format!("commits/{SHA}/status"), found(json!({"statuses": []}))).await;
    let at = format!("/api/v3/repos/org/shop/commits/{SHA}/check-runs");
    for (page, conclusion) in [("1", "success"), ("2", "failure")] {
        let runs = json!({"check_runs": [{"name": "x", "status": "completed", "conclusion": conclusion}]});
        let mut answer = found(runs);
        if page == "1" {
            answer = answer.insert_header("link", "<https://elsewhere.example/?page=2>; rel=\"next\"");
        }
        stage.on("GET", &at).and(query_param("page", page)).respond_with(answer).mount(&stage.github).await;
    }
    assert_eq!(stage.verify(&stage.pull(42)).await.expect(200)["checks_summary"], "some_failed");
}

#[tokio::test]
async fn what_is_no_pull_request_of_the_project_is_not_valid_and_says_why() {
    let stage = Stage::new().await;
    stage.answers("pulls/9", status(404)).await;
    let web = stage.github.uri();
    for (address, reason) in [
        (format!("{web}/org/other/pull/1"), "belongs to org/other, and the project's repository is org/shop"),
        (format!("{web}/org/shop/issues/1"), "not that of a pull request"),
        ("https://elsewhere.example/org/shop/pull/1".to_owned(), "not that of a pull request"),
        (stage.pull(9), "there is no pull request #9 in org/shop"),
    ] {
        let answer = stage.verify(&address).await.expect(200);
        assert_eq!(answer["valid"], false, "{address}");
        assert!(text(&answer["reason"]).contains(reason), "{answer}");
        assert_eq!((&answer["pr_number"], &answer["checks_summary"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(stage.verify("no address").await.refusal(), (400, "invalid_request"));
    stage.answers("pulls/1", found(alone(1))).await;
    stage.answers(&format!("commits/{SHA}/check-runs"), status(500)).await;
    stage.answers(&format!("commits/{SHA}/status"), found(json!({"statuses": []}))).await;
    assert_eq!(stage.verify(&stage.pull(1)).await.refusal(), (502, "upstream_failed"));
}
