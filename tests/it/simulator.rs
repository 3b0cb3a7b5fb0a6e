//! The service's own lines over the model store, in simulated worlds: two nodes that crash, pause
//! and restart, gateways and a register that misbehave, one clock. One seed gives one trace; every
//! law of the promise is looked at after every step.
//!
//! `VARSEL_SEED=123 cargo test --test it simulator` lives one seed again and prints its trace;
//! `VARSEL_SEEDS=10000` says how many are lived.

mod calls;
mod chaos;
mod gated;
mod gates;
mod gateway;
mod house;
mod laws;
mod looks;
mod node;
mod quiet;
mod register;
mod replays;
mod small_world;
mod truth;
mod world;

use std::collections::BTreeSet;

use varsel::domain::message::{Event, MessageState, Next, next};

use crate::support::on_all_cores;

/// Seeds of an ordinary run, and of a long one.
const SEEDS: u64 = 1000;
const LONG: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")),
    )
}

/// Moves that only a gateway brings about which contradicts itself, since what may be out is not called failed; the simulated
/// ones do not. `store_contract::reports` and `store_contract::sending` live them.
const ELSEWHERE: &[&str] = &[
    "failed -> accepted (accepted)",
    "failed -> delivered (reported_delivered)",
];

/// Moves that the lots bring about too rarely to be asked for in an ordinary run. A long one has them all.
const TOO_RARE: &[&str] = &[
    "suppressed -> delivered (reported_delivered)",
    "unconfirmed -> undelivered (reported_undelivered)",
    "expired -> delivered (tick_off)",
];

/// What must have come to pass beside the moves.
const ASKED_FOR: &[&str] = &[
    "outcome accepted",
    "outcome not_sent",
    "outcome refused",
    "outcome unknown",
    "outcome withheld",
    "report Applied",
    "report Recorded",
    "report Parked",
    "store failed",
    "store in doubt",
    "conflict",
    "braked",
    "too late",
    "bundle",
    "hold",
    "lifted",
    "tick",
    "answering machine",
];

/// What many lives came to together.
#[derive(Default)]
struct Sum {
    moves: BTreeSet<laws::Move>,
    words: BTreeSet<String>,
    taken: usize,
    twice: usize,
    lines: usize,
}

impl Sum {
    fn of(seeds: impl Iterator<Item = u64>) -> Self {
        let mut sum = Self::default();
        for seed in seeds {
            let life = chaos::live(seed);
            sum.moves.extend(life.moves);
            sum.words.extend(life.words);
            sum.taken += life.taken;
            sum.twice += life.twice;
            sum.lines += life.trace.len();
        }
        sum
    }

    fn and(mut self, other: Self) -> Self {
        self.moves.extend(other.moves);
        self.words.extend(other.words);
        self.taken += other.taken;
        self.twice += other.twice;
        self.lines += other.lines;
        self
    }

    /// The moves of the message table that never came to pass.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (event, from) in Event::ALL
            .iter()
            .flat_map(|e| MessageState::ALL.iter().map(move |s| (*e, *s)))
        {
            if let Next::To(to) = next(from, event)
                && !self.moves.contains(&(event.word(), Some(from), to))
            {
                missing.push(format!("{from} -> {to} ({event})"));
            }
        }
        missing
    }
}

/// Lives are apart from each other, so each processor lives some.
fn live_all(seeds: u64) -> Sum {
    let parts = on_all_cores(|part, parts| Sum::of((0..seeds).filter(|seed| seed % parts == part)));
    parts.into_iter().fold(Sum::default(), Sum::and)
}

#[test]
fn random_lives_keep_every_law() {
    if let Some(seed) = number("VARSEL_SEED") {
        let life = chaos::live(seed);
        println!("{}\n{}", life.trace.join("\n"), life.hash);
        return;
    }
    let seeds = number("VARSEL_SEEDS").unwrap_or(SEEDS);
    let sum = live_all(seeds);
    let Sum {
        taken,
        twice,
        lines,
        ..
    } = &sum;
    println!(
        "{seeds} seeds, {lines} steps, {taken} hand-overs, {twice} of them second ones and marked"
    );
    let missing = sum.missing();
    println!("moves that never came to pass: {missing:#?}");
    if seeds < SEEDS {
        return;
    }
    let asked = |name: &&String| {
        let name = name.as_str();
        !ELSEWHERE.contains(&name) && (seeds >= LONG || !TOO_RARE.contains(&name))
    };
    assert_eq!(missing.iter().find(asked), None, "no life came there");
    for word in ASKED_FOR {
        assert!(sum.words.contains(*word), "it never came to \"{word}\"");
    }
}

#[test]
fn one_seed_gives_one_trace() {
    let (first, second) = (chaos::live(7), chaos::live(7));
    assert_eq!(first.hash, second.hash);
    assert_ne!(first.hash, chaos::live(8).hash, "the hash says nothing");
}
