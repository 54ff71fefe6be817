//! The forge as its clients see it: the ordinary git program, octocrab, and plain HTTP.

mod forge {
    mod git;
    mod world;
}
