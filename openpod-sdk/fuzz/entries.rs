//! What is fuzzed: each entry takes bytes from anywhere, and must neither panic nor believe what it should not. The
//! targets in `fuzz_targets/` feed them for as long as one likes; the tests feed them for a moment.

use http::{HeaderMap, HeaderName, HeaderValue};
use openpod_sdk::Dialect;
use openpod_sdk::api::{ENDPOINTS, EXTENSIONS, Operation, Timestamp, deployed, owner};
use openpod_sdk::dialect;
use openpod_sdk::webhook::{Delivery, Event, Verifier};

/// Headers, one to a line, an empty line, and a body. Nobody who does not know the secret is believed.
pub(crate) fn verifier(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (head, body) = (&data[..end], data.get(end + 2..).unwrap_or_default());
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    let verifier =
        Verifier::new([secret.into(), "another".into()]).expect("these are secrets").accept_legacy();
    for now in [0, i64::MAX, i64::MIN, 1_773_311_400_000_000] {
        let believed = verifier.verify(&headers, body, Timestamp::from_micros(now));
        assert!(believed.is_err(), "a forged delivery was believed");
    }
}

/// The body of a delivery, proven or not. An event that is known survives being written.
pub(crate) fn events(data: &[u8]) {
    let Ok(delivery) = serde_json::from_slice::<Delivery>(data) else { return };
    let event = delivery.event();
    // What is not known is kept as it came, and a number in it may lose its last digit.
    if matches!(event, Event::Unknown { .. }) {
        return;
    }
    let again = Delivery::new(&event, delivery.timestamp);
    let read: Delivery = serde_json::from_slice(&again.to_body()).expect("what we write we can read");
    assert_eq!(read.event(), event);
}

/// An answer to any operation, in either dialect: two bytes choose, the rest is the body.
pub(crate) fn answers(data: &[u8]) {
    let [which, how, body @ ..] = data else { return };
    let operations: Vec<&Operation> =
        ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS).chain(&deployed::ENDPOINTS).collect();
    let operation = operations[usize::from(*which) % operations.len()];
    let dialect = if how % 2 == 0 { Dialect::Documented } else { Dialect::Deployed };
    let status = [200, 201, 400, 500][usize::from(how / 2) % 4];
    // That it is refused is as good as that it is read.
    let _ = dialect::reads(dialect, operation, status, body);
}
