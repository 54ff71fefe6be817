//! The forge as its clients see it: the ordinary git program, octocrab, and plain HTTP.

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
