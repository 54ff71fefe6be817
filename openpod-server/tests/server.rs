//! Every operation through the real router, on a database in memory.

#[cfg(test)]
mod server {
    mod agents;
    mod appending;
    mod applications;
    mod audit;
    mod bad_input;
    mod contention;
    mod cut_off;
    mod databases;
    mod db_command;
    mod deliveries;
    mod flushes;
    mod full_disk;
    mod github;
    mod handovers;
    mod heartbeat;
    mod keys;
    mod kill;
    mod knowledge;
    mod leases;
    mod ledger;
    mod messages;
    mod migrations;
    mod next_moves;
    mod openapi;
    mod outages;
    mod owners;
    mod permissions;
    mod process;
    mod program;
    mod projects;
    mod random_operations;
    mod remembered;
    #[cfg(feature = "testing")]
    mod testing;
    mod tickets;
    mod tls;
    mod two_engines;
    mod upkeep;
    mod walks;
    mod watching;
    mod webhooks;
    mod world;
}
