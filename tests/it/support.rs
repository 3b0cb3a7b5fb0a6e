//! What several integration tests share: real parts that can misbehave, never stand-ins of our own code.

pub(crate) mod books;
pub(crate) mod browser;
pub(crate) mod campaign;
pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod gateway;
pub(crate) mod house;
pub(crate) mod http_fault;
pub(crate) mod ics;
pub(crate) mod link;
pub(crate) mod mailbox;
pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod servers;
pub(crate) mod smpp;
pub(crate) mod smtp_fault;
pub(crate) mod world;

use std::io::Write;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

/// Does work that falls into independent parts, one part on each processor: each is told its number, from 0, and how
/// many there are. A part that panics is heard as itself.
pub(crate) fn on_all_cores<T: Send>(part: impl Fn(u64, u64) -> T + Sync) -> Vec<T> {
    let parts = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        let part = &part;
        let at_work: Vec<_> = (0..parts)
            .map(|number| scope.spawn(move || part(number, parts)))
            .collect();
        let ended = at_work.into_iter().map(|thread| match thread.join() {
            Ok(done) => done,
            Err(broken) => std::panic::resume_unwind(broken),
        });
        ended.collect()
    })
}

/// Sends a signal to a child by its name, such as `TERM`, and says whether it was still there. Not by the
/// command `kill`: a fresh Debian has none.
pub(crate) fn signal(child: &Child, name: &str) -> bool {
    let signal = match name {
        "HUP" => Signal::HUP,
        "TERM" => Signal::TERM,
        "INT" => Signal::INT,
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        "KILL" => Signal::KILL,
        other => panic!("no test sends {other}"),
    };
    kill_process(Pid::from_child(child), signal).is_ok()
}

/// Says that this machine cannot do what a test needs, such as mounting a disk. Whoever runs the tests with
/// `VARSEL_NOT_RUN=FILE` finds it there, since what a test that passes prints is not shown.
pub(crate) fn cannot_run_here(test: &str, why: &str) {
    println!("not run: {why}");
    if let Some(file) = std::env::var_os("VARSEL_NOT_RUN") {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(file);
        writeln!(file.unwrap(), "{test}: {why}").unwrap();
    }
}
