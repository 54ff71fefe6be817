//! Every operation through the real router, on a database in memory.

mod server {
    mod tickets;
    mod world;
}
