//! Which dialect is spoken, and what only one of them has.

use openpod_sdk::{Client, Dialect};
use wiremock::ResponseTemplate;

use super::service::{KEY, Service, call, cannot, deployed};

#[tokio::test]
async fn what_only_the_deployed_service_has_is_refused_in_the_documented_dialect() {
    let unsupported = cannot(Dialect::Documented, call!(|c| c.invoke_service("a", "b"))).await;
    assert_eq!((unsupported.operation, unsupported.field), ("InvokeService", None));
}

#[tokio::test]
async fn a_service_is_known_by_its_key_or_by_its_health() {
    let detect = async |key: Option<&str>, answer: ResponseTemplate| {
        let service = Service::with(answer).await;
        let builder = Client::builder(service.address());
        let client = match key {
            Some(key) => builder.key(key).build().unwrap(),
            None => builder.build().unwrap(),
        };
        (client.detect().await.unwrap().dialect(), service.requests().await.len())
    };
    let healthy = || ResponseTemplate::new(200).set_body_string(deployed("health"));
    let ours = || healthy().insert_header("idempotency-supported", "true");
    let none = || ResponseTemplate::new(404);
    assert_eq!(detect(Some(KEY), none()).await, (Dialect::Deployed, 0), "a key needs no question");
    assert_eq!(detect(Some("opk_a"), healthy()).await, (Dialect::Documented, 0));
    assert_eq!(detect(None, healthy()).await, (Dialect::Deployed, 1));
    assert_eq!(detect(None, none()).await, (Dialect::Documented, 1));
    assert_eq!(detect(None, ours()).await, (Dialect::Documented, 1), "a server of ours has a health too");
    assert_eq!(detect(Some("another"), healthy()).await, (Dialect::Deployed, 1));
}
