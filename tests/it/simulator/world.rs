//! The simulated world: one store, one register, nodes, gateways, one clock. Everything that can
//! happen next is a call of this module, and after each of them every law is looked at.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use varsel::clock::simulated;
use varsel::service::Mode;
use varsel::store::Outbox;
use varsel::store::model::Model;

use super::calls::Call;
use super::chaos::ready;
use super::gates::{Gates, Point, Word};
use super::house::beginning;
use super::laws::Laws;
use super::node::{Node, Surroundings};
use super::register::Register;
use super::truth::{Happened, Truth};

/// How long the simulated machine has been up when a world begins.
const UPTIME: Duration = Duration::from_secs(1000);

/// The state of one node's place.
#[derive(Default)]
pub(super) struct Place {
    pub(super) node: Option<Node>,
    pub(super) paused: bool,
    starts: u64,
    /// How far this machine's wall clock is off.
    pub(super) skew: TimeDelta,
}

pub(super) struct World {
    pub(super) around: Surroundings,
    pub(super) places: Vec<Place>,
    /// Where the register is read from.
    pub(super) reader: Option<usize>,
    pub(super) passed: Duration,
    pub(super) laws: Laws,
    pub(super) trace: Vec<String>,
    seed: u64,
}

impl World {
    pub(super) fn new(seed: u64, places: usize, reads: bool, dedup: Duration) -> Self {
        let mut world = Self {
            around: Surroundings {
                model: Model::default(),
                truth: Truth::default(),
                gates: Gates::default(),
                register: Register::default(),
                reads,
                dedup,
                backup: seed % 4 == 3,
            },
            places: Vec::new(),
            reader: None,
            passed: Duration::ZERO,
            laws: Laws::default(),
            trace: Vec::new(),
            seed,
        };
        world.places.resize_with(places, Place::default);
        world
    }

    // ── what can happen ─────────────────────────────────────────────────────────────────────────

    pub(super) fn start(&mut self, number: usize, mode: Mode) {
        self.note(format!(
            "start node {number} ({})",
            if mode == Mode::Live { "live" } else { "trial" }
        ));
        self.show_clocks(number);
        let place = &mut self.places[number];
        place.starts += 1;
        let seed = self.seed.wrapping_mul(1009) + place.starts * 16 + number as u64;
        place.paused = false;
        place.node = Some(Node::start(&self.around, number, seed, mode));
        if self.reader.is_none() {
            self.read_from(number);
        }
        self.drive(number);
    }

    fn read_from(&mut self, number: usize) {
        if let Some(node) = &self.places[number].node {
            node.start_intake(&self.around);
            self.reader = Some(number);
        }
    }

    /// The process ends at once; another node takes the register over.
    pub(super) fn crash(&mut self, number: usize) {
        self.note(format!("crash node {number}"));
        self.places[number].node = None;
        self.places[number].paused = false;
        if self.reader == Some(number) {
            self.reader = None;
            let other = self.places.iter().position(|place| place.node.is_some());
            if let Some(other) = other {
                self.read_from(other);
                self.drive(other);
            }
        }
        self.look();
    }

    pub(super) fn pause(&mut self, number: usize) {
        self.note(format!("pause node {number}"));
        self.places[number].paused = true;
    }

    pub(super) fn resume(&mut self, number: usize) {
        self.note(format!("resume node {number}"));
        self.places[number].paused = false;
    }

    /// Time passes for everybody; timers of paused nodes notice later.
    pub(super) fn pass(&mut self, length: Duration) {
        self.note(format!("{} s pass", length.as_secs()));
        self.passed += length;
        self.around.model.advance(length);
        let call = || (Call::Pass(length), String::new());
        self.around.truth.keep(call);
        self.around.truth.lock().time = self.passed;
        for number in 0..self.places.len() {
            self.show_clocks(number);
            let place = &mut self.places[number];
            if let Some(node) = &mut place.node {
                node.pass(length, place.paused);
            }
        }
        self.look();
    }

    /// What waits on nodes that run.
    pub(super) fn waiting(&self) -> Vec<(usize, (usize, &'static str, Point))> {
        let waiting = self.around.gates.waiting().into_iter().enumerate();
        waiting
            .filter(|(_, (node, ..))| !self.places[*node].paused)
            .collect()
    }

    /// Lets the `index`-th waiting point go on.
    pub(super) fn tell(&mut self, index: usize, what: (usize, &'static str, Point), word: Word) {
        let (number, line, point) = what;
        self.note(format!("node {number} {line}: {point:?} {word:?}"));
        // Timers that were late ring first only if their task is not woken by this.
        self.around.gates.tell(index, word);
        self.drive(number);
        self.look();
    }

    /// The timers of a node that was paused ring now.
    pub(super) fn catch_up(&mut self, number: usize) {
        self.show_clocks(number);
        if let Some(node) = &mut self.places[number].node {
            node.pass(Duration::ZERO, false);
        }
        self.drive(number);
        self.look();
    }

    /// A gateway calls a node back.
    pub(super) fn report(&mut self, number: usize, token: String, state: &str) {
        self.note(format!("report {state} to node {number}"));
        if let Some(node) = &self.places[number].node {
            node.take_report(token, state);
        }
        self.drive(number);
        self.look();
    }

    // ── looking ─────────────────────────────────────────────────────────────────────────────────

    /// What a node's wall clock shows.
    pub(super) fn now(&self, number: usize) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.passed).unwrap();
        beginning() + passed + self.places[number].skew
    }

    fn show_clocks(&self, number: usize) {
        simulated::show(Some((self.now(number), UPTIME + self.passed)));
    }

    fn drive(&self, number: usize) {
        self.show_clocks(number);
        if let Some(node) = &self.places[number].node {
            node.drive();
        }
    }

    fn look(&mut self) {
        let broken = self.laws.look(&self.around.model, &self.around.truth);
        let moves = std::mem::take(&mut self.laws.last);
        for moved in moves {
            let from = moved.from.map_or("-", |from| from.word());
            self.note(format!(
                "    message {}: {from} -> {} ({})",
                moved.message.0, moved.to, moved.event
            ));
        }
        if !broken.is_empty() {
            self.fail(&broken.join("\n"));
        }
    }

    pub(super) fn note(&mut self, line: String) {
        self.trace.push(line);
    }

    /// The end of a run that broke a law.
    pub(super) fn fail(&mut self, broken: &str) -> ! {
        let from = self.trace.len().saturating_sub(80);
        let tail = self.trace[from..].join("\n");
        let seed = self.seed;
        simulated::show(None);
        panic!(
            "seed {seed} broke a law:\n{broken}\n\nits last steps:\n{tail}\n\nagain: VARSEL_SEED={seed} cargo test --test it simulator"
        );
    }

    /// What a person did is looked at like every other step.
    pub(super) fn settle_acts(&mut self) {
        self.look();
    }

    /// The secret behind the tokens of reports.
    pub(super) fn secret(&self) -> [u8; 32] {
        ready(self.around.model.secret("reports")).unwrap()
    }

    /// The trace as one number, with everything that the gateways took.
    pub(super) fn hash_with(&self, happened: &Happened) -> String {
        let mut hash = Sha256::new();
        for line in &self.trace {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
        for taken in &happened.taken {
            hash.update(taken.seen.0.as_bytes());
            hash.update(&taken.seen.1);
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    pub(super) fn is_up(&self, number: usize) -> bool {
        self.places[number].node.is_some()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        simulated::show(None);
    }
}
