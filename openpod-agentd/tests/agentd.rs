//! What the daemon promises about git and about workers, with real git over HTTP and real processes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

#[path = "agentd/patience.rs"]
mod patience;
#[path = "agentd/platform.rs"]
mod platform;
#[path = "agentd/program.rs"]
mod program;
#[path = "agentd/support.rs"]
mod support;

#[path = "agentd/brakes.rs"]
mod brakes;
#[path = "agentd/command_line.rs"]
mod command_line;
#[path = "agentd/confinement.rs"]
mod confinement;
#[path = "agentd/doctor.rs"]
mod doctor;
#[path = "agentd/executor_run.rs"]
mod executor_run;
#[path = "agentd/forgetting.rs"]
mod forgetting;
#[path = "agentd/headless.rs"]
mod headless;
#[path = "agentd/hostile_worker.rs"]
mod hostile_worker;
#[path = "agentd/loss_of_power.rs"]
mod loss_of_power;
#[path = "agentd/mirrors.rs"]
mod mirrors;
#[path = "agentd/operating.rs"]
mod operating;
#[path = "agentd/reloading.rs"]
mod reloading;
#[path = "agentd/repositories.rs"]
mod repositories;
#[path = "agentd/stopping.rs"]
mod stopping;
#[path = "agentd/taking_up_what_was_open.rs"]
mod taking_up_what_was_open;
#[path = "agentd/token_stays_hidden.rs"]
mod token_stays_hidden;
#[path = "agentd/working_a_ticket.rs"]
mod working_a_ticket;
