//! Every fixture of the deployed dialect is understood, and every request of its is made.

#[path = "fixtures/answers.rs"]
mod answers;
#[path = "fixtures/events.rs"]
mod events;
#[path = "fixtures/refusals.rs"]
mod refusals;
#[path = "fixtures/requests.rs"]
mod requests;
#[path = "fixtures/samples.rs"]
mod samples;

use std::collections::BTreeSet;

pub(crate) use samples::{CHANNEL, POSITION, PROJECT, WORKER, agent, application, message, ticket, webhook};

#[test]
fn no_fixture_is_left_out() {
    let directory = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let files: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".deployed.json").map(Into::into)
        })
        .collect();
    let mut tested: BTreeSet<String> = answers::answers().into_iter().map(|row| row.0.to_owned()).collect();
    tested.extend(requests::requests().into_iter().map(|row| row.0.to_owned()));
    tested.extend(refusals::refusals().into_iter().map(|row| format!("error.{}", row.0)));
    tested.extend(events::events().into_iter().map(|row| format!("webhook.{}", row.0)));
    // The test of the signatures reads these.
    tested.insert("webhook.signature_vectors".to_owned());
    assert_eq!(files, tested);
}
