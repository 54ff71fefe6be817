//! Replacing the secret of a webhook.

use std::time::Duration;

use openpod_sdk::clock::Clock;
use openpod_sdk::webhook::Verifier;
use serde_json::json;
use wiremock::Request;

use super::stage::{SECRETS, Stage, answering, hook, received};
use crate::server::world::{AGENT, text};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn for_a_day_after_a_rotation_both_secrets_sign_and_the_older_header_is_the_new_ones() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    let webhook = stage.register(&hook(&receiver)).await;
    let rotate = format!("{AGENT}/webhooks/{}/rotate", text(&webhook["id"]));
    let rotated = stage.world.post(&rotate, &stage.agent, json!({})).await.expect(201);
    let new = text(&rotated["secret"]);
    assert_eq!(text(&rotated["old_secret_until"]), stage.world.clock_in(DAY));
    assert_eq!(stage.webhook().await["old_secret_until"], rotated["old_secret_until"]);

    let proves = |request: &Request, secret: &str, older: bool| {
        let mut verifier = Verifier::new([secret.into()]).unwrap();
        let mut headers = request.headers.clone();
        if older {
            headers.remove("webhook-signature");
            verifier = verifier.accept_legacy();
        }
        verifier.verify(&headers, &request.body, stage.world.clock.now()).is_ok()
    };
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    let during = received(&receiver).await.pop().unwrap();
    let signatures = during.headers["webhook-signature"].to_str().unwrap();
    assert!(signatures.split(' ').count() == 2 && signatures.split(' ').all(|one| one.starts_with("v1,")));
    assert!(proves(&during, &new, false) && proves(&during, SECRETS[1], false));
    assert!(proves(&during, &new, true) && !proves(&during, SECRETS[1], true));

    stage.world.clock.advance(DAY);
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    let after = received(&receiver).await.pop().unwrap();
    assert_eq!(after.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 1);
    assert!(proves(&after, &new, false) && !proves(&after, SECRETS[1], false));
}

#[tokio::test]
async fn a_secret_is_shown_once_or_chosen_and_no_old_one_is_cut_off_unasked() {
    let stage = Stage::new().await;
    let webhook = stage.register("http://127.0.0.1:9/hook").await;
    let rotate = format!("{AGENT}/webhooks/{}/rotate", text(&webhook["id"]));
    let same = json!({"secret": SECRETS[1]});
    assert_eq!(stage.world.post(&rotate, &stage.agent, same).await.refusal(), (409, "conflict"));
    let chosen = json!({"secret": "another-signing-secret", "grace_seconds": 3600});
    let chosen = stage.world.post(&rotate, &stage.agent, chosen).await.expect(201);
    assert_eq!(chosen.get("secret"), None);
    let refused = stage.world.post(&rotate, &stage.agent, json!({})).await;
    assert_eq!(refused.refusal(), (409, "conflict"));
    assert!(text(&refused.json["error"]).contains(&text(&chosen["old_secret_until"])), "{}", refused.json);
    let at_once = json!({"grace_seconds": 0});
    let at_once = stage.world.post(&rotate, &stage.agent, at_once).await.expect(201);
    assert!(at_once["old_secret_until"].is_null() && text(&at_once["secret"]).starts_with("whsec_"));
    assert_eq!(stage.webhook().await.get("old_secret_until"), None);

    for wrong in
        [json!({"secret": "short"}), json!({"secret": "whsec_c2hvcnQ="}), json!({"grace_seconds": 604_801})]
    {
        let refused = stage.world.post(&rotate, &stage.agent, wrong.clone()).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{wrong}");
    }
    let request = || {
        http::Request::post(&rotate)
            .header("authorization", format!("Bearer {}", stage.agent.key.expose()))
            .header("idempotency-key", "once")
            .body("{}".into())
            .unwrap()
    };
    stage.world.send(request()).await.expect(201);
    let again = stage.world.send(request()).await;
    assert_eq!(again.refusal(), (409, "conflict"), "its answer was shown once");
}
