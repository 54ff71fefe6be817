//! The forge as its clients see it: the ordinary git program, octocrab, and plain HTTP.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod forge {
    mod access;
    mod checks;
    mod code;
    mod git;
    mod misbehaviour;
    mod octocrab;
    mod pages;
    mod pulls;
    mod schemas;
    mod wire;
    mod world;
}
