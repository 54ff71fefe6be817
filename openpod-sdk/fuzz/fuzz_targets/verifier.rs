//! `cargo +nightly fuzz run verifier`, in openpod-sdk.
#![no_main]

#[path = "../entries.rs"]
#[expect(dead_code, reason = "one entry for each target")]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::verifier(data));
