//! Every operation through the real router, on a database in memory.

#[cfg(test)]
mod server {
    mod agents;
    mod applications;
    mod bad_input;
    mod deliveries;
    mod github;
    mod heartbeat;
    mod knowledge;
    mod messages;
    mod owners;
    mod program;
    mod projects;
    mod tickets;
    mod watching;
    mod webhooks;
    mod world;
}
