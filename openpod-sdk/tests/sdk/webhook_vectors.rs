//! `tests/fixtures/webhook-vectors.json`: requests, and whether a receiver must believe them. Whoever verifies our
//! webhooks in another language can run them; here our verifier and the reference implementation of the standard scheme do.
//!
//! `OPENPOD_WRITE_VECTORS=1 cargo test -p openpod-sdk vectors` writes the file from the table below.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::{Clock, SystemClock};
use openpod_sdk::webhook::{SigningKey, Verifier, VerifyError, header, sign};
use serde::{Deserialize, Serialize};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/webhook-vectors.json");
const MADE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const NEXT: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=";
const CHOSEN: &str = "my-signing-secret";
const ID: &str = "msg_0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d4f";
const SENT: &str = "2026-03-12T10:30:00Z";
const BODY: &str = r#"{"event":"ticket_assigned","timestamp":"2026-03-12T10:30:00.000000Z","data":{"ticket_id":"0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d50","ticket_number":5,"title":"Löse es – 修复","project_id":"0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d51","priority":"high"}}"#;

const ABOUT: &[&str] = &[
    "Requests as they reach a receiver, and what it must make of them.",
    "secrets: what the receiver knows. now: its time; it tolerates 300 s either way. accept_legacy: whether it takes the older scheme alone.",
    "headers: in order; a name that stands twice was sent twice. body_base64: the body, byte for byte.",
    "signed: whether one of the secrets made a v1 signature of webhook-signature, whatever the time.",
    "expect: verified, unsigned, malformed_header, wrong_signature, outside_tolerance or malformed_body.",
    "A secret that begins with whsec_ keys the standard scheme with the decoded base64; any other with its text. The older scheme is keyed with the text of either.",
];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    about: Vec<String>,
    vectors: Vec<Vector>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    secrets: Vec<String>,
    now: String,
    accept_legacy: bool,
    headers: Vec<(String, String)>,
    body_base64: String,
    signed: bool,
    expect: String,
}

fn seconds(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn keys(secrets: &[&str]) -> Vec<SigningKey> {
    secrets.iter().map(|secret| SigningKey::parse(&Secret::from(*secret)).unwrap()).collect()
}

/// A request that was signed with some secrets and reaches a receiver that knows these, at the time it was sent.
fn sent(name: &str, signed_with: &[&str], known: &[&str], body: &[u8]) -> Vector {
    let headers = sign(&keys(signed_with), ID, seconds(SENT), body);
    Vector {
        name: name.to_owned(),
        secrets: known.iter().map(|&secret| secret.to_owned()).collect(),
        now: SENT.to_owned(),
        accept_legacy: false,
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body_base64: STANDARD.encode(body),
        signed: true,
        expect: "verified".to_owned(),
    }
}

impl Vector {
    fn expect(mut self, signed: bool, expect: &str) -> Self {
        (self.signed, self.expect) = (signed, expect.to_owned());
        self
    }

    fn at(mut self, now: &str) -> Self {
        self.now = now.to_owned();
        self
    }

    fn legacy(mut self) -> Self {
        self.accept_legacy = true;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| header != name);
        self
    }

    fn with(mut self, name: &str, change: impl Fn(&str) -> String) -> Self {
        for (_, value) in self.headers.iter_mut().filter(|(header, _)| header == name) {
            *value = change(value);
        }
        self
    }

    fn twice(mut self, name: &str) -> Self {
        let again = self.headers.iter().find(|(header, _)| header == name).cloned().unwrap();
        self.headers.push(again);
        self
    }

    fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_base64).unwrap()
    }

    fn header_map(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }
}

fn table() -> Vec<Vector> {
    let body = BODY.as_bytes();
    let good = |name: &str| sent(name, &[MADE], &[MADE], body);
    let chosen = |name: &str| sent(name, &[CHOSEN], &[CHOSEN], body);
    let wrong = |vector: Vector| vector.expect(false, "wrong_signature");
    vec![
        good("a secret that the server made"),
        chosen("a secret that the client chose"),
        sent("rotated: the receiver knows the old secret", &[NEXT, MADE], &[MADE], body),
        sent("rotated: the receiver knows the new secret", &[NEXT, MADE], &[NEXT], body),
        sent("the receiver knows both, the old one signed", &[MADE], &[NEXT, MADE], body),
        wrong(sent("another secret", &[NEXT], &[MADE], body)),
        wrong(sent("a secret that begins alike", &[CHOSEN], &["my-signing-secret2"], body)),
        sent("a body that is no UTF-8", &[MADE], &[MADE], b"\xff\xfe{\x00}").expect(true, "malformed_body"),
        sent("an empty body", &[MADE], &[MADE], b"").expect(true, "malformed_body"),
        sent("white space in the body counts", &[MADE], &[MADE], format!(" {BODY}\n").as_bytes()),
        wrong(Vector {
            body_base64: STANDARD.encode(format!("{BODY}\n")),
            ..good("white space was added to the body")
        }),
        good("300 s old").at("2026-03-12T10:35:00Z"),
        good("300 s and a moment old").at("2026-03-12T10:35:00.000001Z").expect(true, "outside_tolerance"),
        good("300 s in the future").at("2026-03-12T10:25:00Z"),
        good("301 s in the future").at("2026-03-12T10:24:59Z").expect(true, "outside_tolerance"),
        wrong(good("another time than was signed").with(header::TIMESTAMP, |_| "1773311401".to_owned())),
        wrong(good("another id than was signed").with(header::ID, |id| format!("{id}0"))),
        wrong(good("the label of another version").with(header::SIGNATURE, |s| s.replace("v1,", "v2,"))),
        wrong(good("the label in capitals").with(header::SIGNATURE, |s| s.replace("v1,", "V1,"))),
        wrong(good("no label").with(header::SIGNATURE, |s| s.replace("v1,", ""))),
        good("an unknown label beside a known one")
            .with(header::SIGNATURE, |s| format!("v1a,AAAA {s} v9,BBBB")),
        good("two spaces between signatures").with(header::SIGNATURE, |s| format!("v1,AAAA  {s}")),
        wrong(good("a tab between signatures").with(header::SIGNATURE, |s| format!("v1,AAAA\t{s}"))),
        wrong(good("a space within a signature").with(header::SIGNATURE, |s| s.replace("v1,", "v1, "))),
        wrong(good("a signature that is cut short").with(header::SIGNATURE, |s| s[..s.len() - 4].to_owned())),
        wrong(good("an empty signature").with(header::SIGNATURE, |_| "v1,".to_owned())),
        good("no id").without(header::ID).expect(false, "malformed_header"),
        good("no time").without(header::TIMESTAMP).expect(false, "malformed_header"),
        good("the signature twice").twice(header::SIGNATURE).expect(true, "malformed_header"),
        good("the id twice").twice(header::ID).expect(true, "malformed_header"),
        good("no signature")
            .without(header::SIGNATURE)
            .without(header::LEGACY_SIGNATURE)
            .expect(false, "unsigned"),
        chosen("the older scheme where it is not accepted")
            .without(header::SIGNATURE)
            .expect(false, "unsigned"),
        chosen("the older scheme alone").without(header::SIGNATURE).legacy().expect(false, "verified"),
        good("the older scheme with a made secret")
            .without(header::SIGNATURE)
            .legacy()
            .expect(false, "verified"),
        chosen("the older scheme, too late")
            .without(header::SIGNATURE)
            .legacy()
            .at("2026-03-12T10:35:01Z")
            .expect(false, "outside_tolerance"),
        wrong(
            chosen("the older scheme without its label")
                .without(header::SIGNATURE)
                .legacy()
                .with(header::LEGACY_SIGNATURE, |s| s.replace("sha256=", "")),
        ),
        wrong(
            chosen("the older scheme does not stand in for a wrong standard one")
                .legacy()
                .with(header::SIGNATURE, |_| "v1,AAAA".to_owned()),
        ),
    ]
}

fn published() -> Vec<Vector> {
    serde_json::from_str::<File>(&std::fs::read_to_string(FILE).unwrap()).unwrap().vectors
}

fn word(verdict: Result<(), VerifyError>) -> &'static str {
    match verdict {
        Ok(()) => "verified",
        Err(VerifyError::Unsigned) => "unsigned",
        Err(VerifyError::MalformedHeader) => "malformed_header",
        Err(VerifyError::WrongSignature) => "wrong_signature",
        Err(VerifyError::OutsideTolerance) => "outside_tolerance",
        Err(VerifyError::MalformedBody) => "malformed_body",
        Err(VerifyError::TooLarge) => "too_large",
    }
}

/// The key as the reference implementation takes it.
fn reference(secret: &str) -> standardwebhooks::Webhook {
    match secret.strip_prefix("whsec_") {
        Some(_) => standardwebhooks::Webhook::new(secret).unwrap(),
        None => standardwebhooks::Webhook::from_bytes(secret.as_bytes().to_vec()).unwrap(),
    }
}

#[test]
fn the_published_vectors_are_those_of_the_table() {
    if std::env::var_os("OPENPOD_WRITE_VECTORS").is_some() {
        let file = File { about: ABOUT.iter().map(|&line| line.to_owned()).collect(), vectors: table() };
        std::fs::write(FILE, serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
    }
    assert_eq!(published(), table());
}

#[test]
fn our_verifier_believes_what_the_vectors_say_and_nothing_else() {
    for vector in published() {
        let secrets = vector.secrets.iter().map(|secret| Secret::from(secret.as_str()));
        let mut verifier = Verifier::new(secrets).unwrap();
        if vector.accept_legacy {
            verifier = verifier.accept_legacy();
        }
        let verdict = verifier.verify(&vector.header_map(), &vector.body(), seconds(&vector.now));
        assert_eq!(word(verdict.map(|_| ())), vector.expect, "{}", vector.name);
    }
}

#[test]
fn the_reference_implementation_makes_the_signatures_of_the_vectors() {
    for vector in published() {
        let (headers, body) = (vector.header_map(), vector.body());
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        let (Some(id), Some(time), Some(signatures)) =
            (text(header::ID), text(header::TIMESTAMP), text(header::SIGNATURE))
        else {
            assert!(!vector.signed, "{}", vector.name);
            continue;
        };
        if std::str::from_utf8(&body).is_err() {
            continue; // It signs text only.
        }
        let signed = vector.secrets.iter().any(|secret| {
            let made = reference(secret).sign(id, time.parse().unwrap(), &body).unwrap();
            signatures.split(' ').any(|signature| signature == made)
        });
        assert_eq!(signed, vector.signed, "{}", vector.name);
    }
}

#[test]
fn the_reference_implementation_believes_what_is_signed_now_and_nothing_that_was_changed() {
    let body = BODY.as_bytes();
    for secret in [MADE, NEXT, CHOSEN] {
        let mut headers = sign(&keys(&["another", secret]), ID, SystemClock.now(), body);
        reference(secret).verify(body, &headers).unwrap();
        assert!(reference(secret).verify(b"{}", &headers).is_err());
        assert!(reference("a third").verify(body, &headers).is_err());
        headers.insert(
            header::SIGNATURE,
            headers[header::SIGNATURE].to_str().unwrap().replace("v1", "v2").parse().unwrap(),
        );
        assert!(reference(secret).verify(body, &headers).is_err());
    }
}
