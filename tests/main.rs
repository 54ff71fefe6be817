//! Journeys through server, forge and daemon in one process, and the checks of the house itself.

#![expect(unreachable_pub, reason = "the modules of a program are read as those of a library are")]

#[cfg(test)]
mod deployed;
#[cfg(test)]
mod journeys {
    mod brakes;
    mod claims;
    mod conversations;
    mod deployed;
    mod happy_path;
    mod hostile;
    mod interruptions;
    mod reference_curl;
    mod secrets;
    mod several_agents;
    mod soak;
    mod verdicts;
}
#[cfg(test)]
#[cfg(debug_assertions)]
mod matrix;
#[cfg(test)]
mod tap;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod world;
