//! Deliveries of 4 KiB, proven and read, beside the bare HMAC-SHA256 of the same bytes.

use std::hint::black_box;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use openpod_sdk::api::Timestamp;
use openpod_sdk::webhook::{Delivery, Event, MessageReceived, SigningKey, Verifier, sign};
use sha2::Sha256;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const ROUNDS: usize = 31;
const CALLS: u32 = 2_000;

pub(crate) fn measure() {
    let now = Timestamp::from_micros(1_773_311_400_000_000);
    let body = body(now);
    let headers = sign(&[SigningKey::parse(&SECRET.into()).expect("a secret")], "msg_1", now, &body);
    let verifier = Verifier::new([SECRET.into()]).expect("a secret");
    let key = b"a key of thirty-two bytes or so.";
    let bare = || {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
        mac.update(black_box(&body));
        black_box(mac.finalize().into_bytes());
    };
    let prove = || drop(black_box(verifier.prove(&headers, black_box(&body), now).expect("a signature")));
    let verify = || drop(black_box(verifier.verify(&headers, black_box(&body), now).expect("a delivery")));
    let mut ratios = [Vec::new(), Vec::new()];
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let hmac = rate(&bare);
        rates.push(hmac);
        ratios[0].push(rate(&prove) / hmac);
        ratios[1].push(rate(&verify) / hmac);
    }
    let [prove, verify] = ratios.map(median);
    super::say(format!("HMAC-SHA256 of {} bytes: {:.0} a second", body.len(), median(rates)));
    super::say(format!("  the signature proven: {prove:.3} of that   (goal: ≥ 0.9)"));
    super::say(format!("  proven, and its event read: {verify:.3} of that"));
}

fn body(now: Timestamp) -> Vec<u8> {
    let message = |content: String| MessageReceived {
        message_id: "0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d50".into(),
        channel_id: "0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d51".into(),
        channel_name: Some("general".to_owned()),
        project_id: "0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d52".into(),
        content,
        author_agent_key_id: None,
        author_name: "grace".to_owned(),
    };
    let bytes =
        |text: usize| Delivery::new(&Event::MessageReceived(message("x".repeat(text))), now).to_body();
    bytes(4096 - bytes(0).len())
}

fn rate(work: &dyn Fn()) -> f64 {
    let begun = Instant::now();
    (0..CALLS).for_each(|_| work());
    f64::from(CALLS) / begun.elapsed().as_secs_f64()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
