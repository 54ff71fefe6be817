//! Every operation through the real router, on a database in memory.

#[cfg(test)]
mod server {
    mod agents;
    mod applications;
    mod deliveries;
    mod heartbeat;
    mod knowledge;
    mod messages;
    mod owners;
    mod projects;
    mod tickets;
    mod watching;
    mod webhooks;
    mod github;
    mod world;
}
