//! One life of the small world, up to some point: what may happen next, what it does, and what must
//! hold at the end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use varsel::channel::{Body, Outgoing, may_start};
use varsel::clock::{Mono, simulated};
use varsel::domain::appointment::{Appointment, BookingKey, SourceName, Standing};
use varsel::domain::message::{Channel, MessageState};
use varsel::domain::notice::Purpose;
use varsel::domain::outcome::{AttemptFacts, Blame, Outcome, ReportState, after_attempt};
use varsel::domain::verdict::verdict;
use varsel::service::Shared;
use varsel::service::intake::Intake;
use varsel::service::replan::{Again, Replan};
use varsel::source::{Look, Snapshot, Source, SourceError};
use varsel::store::model::Model;
use varsel::store::{
    Claim, ClaimAsk, Cluster, Cursor, Known, Ledger, Outbox, Page, Record, Report, Settlement,
    UnknownRule,
};

use super::catching::Catching;
use super::{Bounds, PASS};
use crate::simulator::chaos::ready;
use crate::simulator::gated::number;
use crate::simulator::house::{self, LEASE, LONGEST_SEND, QUARANTINE, beginning};
use crate::simulator::laws::Laws;
use crate::simulator::node;
use crate::simulator::register::booking;
use crate::simulator::truth::{HandOver, Truth};

/// How long the simulated machine has been up when the world begins.
const UPTIME: Duration = Duration::from_secs(1000);

/// A round without trouble takes a lease and a quarantine; in so many rounds everything has ended
/// that can end before somebody phones.
const ROUNDS: usize = 8;

/// A line goes on at most so often in a round without trouble.
const STEPS: usize = 8;

/// Where the dispatch of a node stands between its atomic points.
#[derive(Clone, Debug)]
enum Line {
    Down,
    Idle,
    /// Its last claim may or may not stand.
    Doubt(ClaimAsk),
    /// The intent is durable, and it has not looked at its lease for the last time.
    Claimed(Claim, Mono),
    /// The gateway has it and has not answered.
    Taken(Claim),
    /// There is an outcome, and the store may not have it yet.
    Landed(Settlement),
}

/// What the register says of the booking, and how much of it is known.
#[derive(Clone, Debug)]
enum Register {
    Cancelled,
    /// It stands again; intake may have decided what follows.
    Reinstated(Option<Box<Record>>),
    Recorded,
}

/// Something that may happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Claim(usize),
    /// The claim happened, or did not, and its node does not know which.
    ClaimDoubted(usize, bool),
    Disown(usize),
    Take(usize),
    NoConnection(usize),
    Refuse(usize),
    Break(usize),
    Answer(usize),
    LoseAnswer(usize),
    Settle(usize),
    /// It is written, and the node is not told.
    SettleDoubted(usize),
    Sweep,
    /// Upkeep, on any node, decides on the next rung.
    DecideClimb,
    RecordClimb,
    Crash(usize),
    Restart(usize),
    /// Intake, on any node, sees the booking reinstated, and decides.
    Reinstate,
    RecordReinstated,
    Report(ReportState),
    Pass,
}

pub(super) struct Small {
    bounds: Bounds,
    model: Model,
    truth: Truth,
    pub(super) laws: Laws,
    lines: [Line; 2],
    claims: [u32; 2],
    passes: u32,
    troubles: u32,
    crashed: bool,
    restarted: bool,
    register: Register,
    climb: Option<Box<Record>>,
    reported: bool,
    path: Vec<Event>,
}

/// The one booking as a source that never fails.
struct One(SourceName, Appointment);

impl Source for One {
    fn name(&self) -> &SourceName {
        &self.0
    }

    async fn snapshot(&mut self, _: DateTime<Utc>) -> Result<Look, SourceError> {
        let rows = vec![self.1.clone()];
        Ok(Look::Snapshot(Snapshot {
            rows,
            ..Snapshot::default()
        }))
    }

    async fn look_up(&mut self, _: &[BookingKey]) -> Result<Snapshot, SourceError> {
        Ok(Snapshot::default())
    }

    fn forget(&mut self) {}
}

/// The rules of the house, by which nothing is drawn.
fn rules() -> &'static Shared {
    static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();
    SHARED.get_or_init(|| house::shared("node-0", 1, [7; 32]))
}

impl Small {
    /// Two nodes, and a cancellation that stands recorded and has not left.
    pub(super) fn begin(bounds: Bounds) -> Self {
        let small = Self {
            bounds,
            model: Model::default(),
            truth: Truth::default(),
            laws: Laws::default(),
            lines: [Line::Idle, Line::Idle],
            claims: [0; 2],
            passes: 0,
            troubles: 0,
            crashed: false,
            restarted: false,
            register: Register::Cancelled,
            climb: None,
            reported: false,
            path: Vec::new(),
        };
        small.show_clock();
        for number in 0..2 {
            ready(small.model.join(&node::name(number))).unwrap();
        }
        small.look_at(Standing::Active, small.model.clone());
        small.look_at(Standing::Cancelled, small.model.clone());
        small
    }

    /// A world that has lived the same, and lives on by itself.
    pub(super) fn fork(&self) -> Self {
        Self {
            model: self.model.fork(),
            truth: self.truth.fork(),
            laws: self.laws.clone(),
            lines: self.lines.clone(),
            register: self.register.clone(),
            climb: self.climb.clone(),
            path: self.path.clone(),
            ..*self
        }
    }

    // ── the present ─────────────────────────────────────────────────────────────────────────────

    fn time(&self) -> Duration {
        self.truth.lock().time
    }

    fn now(&self) -> DateTime<Utc> {
        beginning() + TimeDelta::from_std(self.time()).unwrap()
    }

    fn show_clock(&self) {
        simulated::show(Some((self.now(), UPTIME + self.time())));
    }

    /// What a decision draws: other references and keys than any before, and the same ones wherever
    /// the store holds the same.
    fn draws(&self) -> Arc<Shared> {
        let drawn = 2 + self.model.audit().len() as u64;
        house::shared("node-0", drawn, [7; 32])
    }

    /// Whether time has run out and no dispatch has anything in hand.
    pub(super) fn may_end(&self) -> bool {
        let idle = |line: &Line| matches!(line, Line::Idle);
        self.passes == self.bounds.passes && self.lines.iter().all(idle)
    }

    // ── what may happen ─────────────────────────────────────────────────────────────────────────

    /// Everything that may happen next.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Sweep, Event::DecideClimb];
        events.extend(self.climb.as_ref().map(|_| Event::RecordClimb));
        match &self.register {
            Register::Cancelled | Register::Reinstated(None) => events.push(Event::Reinstate),
            Register::Reinstated(Some(_)) => {
                events.extend([Event::Reinstate, Event::RecordReinstated]);
            }
            Register::Recorded => {}
        }
        if !self.reported && !self.truth.lock().taken.is_empty() {
            events.push(Event::Report(ReportState::Delivered));
            events.push(Event::Report(ReportState::Undelivered));
        }
        events.extend((self.passes < self.bounds.passes).then_some(Event::Pass));
        // The nodes are alike: the first one to do anything is called 0.
        let untouched = self.claims == [0; 2] && !self.crashed;
        for number in 0..if untouched { 1 } else { 2 } {
            self.events_of(number, &mut events);
        }
        events
    }

    fn events_of(&self, number: usize, events: &mut Vec<Event>) {
        let (go, troubles) = match &self.lines[number] {
            Line::Down => {
                events.extend((!self.restarted).then_some(Event::Restart(number)));
                return;
            }
            Line::Idle => (
                Event::Claim(number),
                [true, false]
                    .map(|done| Event::ClaimDoubted(number, done))
                    .to_vec(),
            ),
            Line::Doubt(_) => (Event::Disown(number), vec![]),
            Line::Claimed(..) => (
                Event::Take(number),
                vec![
                    Event::NoConnection(number),
                    Event::Refuse(number),
                    Event::Break(number),
                ],
            ),
            Line::Taken(_) => (Event::Answer(number), vec![Event::LoseAnswer(number)]),
            Line::Landed(_) => (Event::Settle(number), vec![Event::SettleDoubted(number)]),
        };
        events.push(go);
        if self.troubles < self.bounds.troubles {
            events.extend(troubles);
        }
        events.extend((!self.crashed).then_some(Event::Crash(number)));
    }

    /// Lets it happen; `false` if nothing came of it.
    pub(super) fn live(&mut self, event: Event) -> bool {
        self.show_clock();
        self.path.push(event);
        match event {
            Event::Claim(number) => return self.claim(number),
            Event::ClaimDoubted(number, done) => return self.claim_in_doubt(number, done),
            Event::Disown(number) => self.disown(number),
            Event::Take(number) => self.first_byte(number, None),
            Event::NoConnection(number) => self.trouble(number, not_sent("no connection")),
            Event::Refuse(number) => self.trouble(number, refused()),
            Event::Break(number) => self.trouble(number, unknown()),
            Event::Answer(number) => self.land(number, Outcome::Accepted { gateway_id: None }),
            Event::LoseAnswer(number) => {
                self.troubles += 1;
                self.land(number, unknown());
            }
            Event::Settle(number) => {
                self.settle(number);
                self.lines[number] = Line::Idle;
            }
            Event::SettleDoubted(number) => {
                self.troubles += 1;
                self.settle(number);
            }
            Event::Sweep => {
                let swept = self.model.sweep(self.now(), rules().sweep);
                return ready(swept).unwrap().any();
            }
            Event::DecideClimb => return self.decide_climb(),
            Event::RecordClimb => self.record_climb(),
            Event::Crash(number) => {
                self.crashed = true;
                self.lines[number] = Line::Down;
            }
            Event::Restart(number) => {
                self.restarted = true;
                self.truth.joined(number);
                ready(self.model.join(&node::name(number))).unwrap();
                self.lines[number] = Line::Idle;
            }
            Event::Reinstate => {
                let record = self.decide_reinstated();
                self.register = Register::Reinstated(Some(record));
            }
            Event::RecordReinstated => self.record_reinstated(),
            Event::Report(state) => self.report(state),
            Event::Pass => {
                self.passes += 1;
                self.model.advance(PASS);
                self.truth.lock().time += PASS;
            }
        }
        true
    }

    // ── dispatch ────────────────────────────────────────────────────────────────────────────────

    fn ask(&mut self, number: usize) -> ClaimAsk {
        self.claims[number] += 1;
        ClaimAsk {
            channel: Channel::Sms,
            gateway: "sms".to_owned(),
            node: node::name(number),
            limit: 1,
            lease: LEASE,
            now: self.now(),
            nonce: self.claims[number] * 2 + u32::try_from(number).unwrap(),
            remembered: None,
            rate: None,
            unknowns: UnknownRule {
                quarantine: QUARANTINE,
                lookup: Duration::ZERO,
                dedup: self.bounds.dedup,
            },
        }
    }

    fn claim(&mut self, number: usize) -> bool {
        let ask = self.ask(number);
        let mut claims = ready(self.model.claim(&ask)).unwrap();
        self.truth.claimed(number, &claims, LEASE);
        let Some(claim) = claims.pop() else {
            return false;
        };
        if let Some(truth) = self.truth.lock().claims.get_mut(&claim.attempt) {
            truth.heard = true;
        }
        let start_before = Mono::now().plus(LEASE).minus(LONGEST_SEND);
        self.lines[number] = Line::Claimed(claim, start_before);
        true
    }

    fn claim_in_doubt(&mut self, number: usize, done: bool) -> bool {
        self.troubles += 1;
        let ask = self.ask(number);
        let claims = match done {
            true => ready(self.model.claim(&ask)).unwrap(),
            false => Vec::new(),
        };
        self.truth.claimed(number, &claims, LEASE);
        self.lines[number] = Line::Doubt(ask);
        !done || !claims.is_empty()
    }

    fn disown(&mut self, number: usize) {
        if let Line::Doubt(ask) = self.lines[number].clone() {
            ready(self.model.disown(&ask, self.now())).unwrap();
            let mut happened = self.truth.lock();
            let claims = happened.claims.values_mut();
            for claim in claims.filter(|c| (c.node, c.nonce) == (number, ask.nonce)) {
                claim.settled = true;
            }
        }
        self.lines[number] = Line::Idle;
    }

    fn trouble(&mut self, number: usize, outcome: Outcome) {
        self.troubles += 1;
        self.first_byte(number, Some(outcome));
    }

    /// The last look at the lease, and then the gateway has it, or what is given instead.
    fn first_byte(&mut self, number: usize, instead: Option<Outcome>) {
        let Line::Claimed(claim, start_before) = self.lines[number].clone() else {
            return;
        };
        let message = outgoing(&claim, start_before);
        if !may_start(&message) {
            return self.land(number, not_sent("too late"));
        }
        if let Some(outcome) = instead {
            return self.land(number, outcome);
        }
        let at = self.time();
        let mut happened = self.truth.lock();
        let mut before = happened
            .taken
            .iter()
            .filter(|t| t.seen.0 == message.gateway_key);
        let same = before.any(|t| !t.same && at < t.at + self.bounds.dedup);
        happened.taken.push(HandOver {
            attempt: claim.attempt,
            channel: Channel::Sms,
            gateway: "sms",
            same,
            token: String::new(),
            seen: (message.gateway_key, message.body.0),
            at,
        });
        drop(happened);
        self.lines[number] = Line::Taken(claim);
    }

    fn land(&mut self, number: usize, outcome: Outcome) {
        let (Line::Claimed(claim, _) | Line::Taken(claim)) = &self.lines[number] else {
            return;
        };
        let facts = AttemptFacts {
            now: self.now(),
            attempts: claim.attempts,
            give_up_at: claim.give_up_at.min(claim.not_after),
            report_within: Some(Duration::from_secs(3600)),
            report_least: Duration::ZERO,
            jitter: 0.0,
        };
        let decision = after_attempt(&outcome, &facts, &rules().retry);
        let settlement = Settlement {
            message: claim.message,
            attempt: claim.attempt,
            fence: claim.fence,
            outcome,
            decision,
            at: facts.now,
        };
        self.lines[number] = Line::Landed(settlement);
    }

    fn settle(&self, number: usize) {
        if let Line::Landed(settlement) = &self.lines[number] {
            ready(self.model.settle(std::slice::from_ref(settlement))).unwrap();
            let mut happened = self.truth.lock();
            if let Some(claim) = happened.claims.get_mut(&settlement.attempt) {
                claim.settled = true;
            }
        }
    }

    // ── intake, upkeep, reports ─────────────────────────────────────────────────────────────────

    /// Intake looks at the booking as it stands in the register.
    fn look_at<L: Ledger + Clone + 'static>(&self, standing: Standing, ledger: L) {
        let mut row = booking(1, false, beginning(), 48);
        row.reach(Some(1), None);
        row.appointment.state.standing = standing;
        let source = One(house::source_name(), row.appointment);
        let every = Duration::from_secs(30);
        let mut intake = Intake::new(self.draws(), source, ledger, every);
        // It keeps its turn in a task of its own, so it needs a runtime, and never waits in it.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let step = runtime.unwrap().block_on(intake.step(self.now())).unwrap();
        assert_eq!(step.recorded.conflicts, [], "nothing came in between");
    }

    fn decide_reinstated(&self) -> Box<Record> {
        let key = [BookingKey("B1".to_owned())];
        let known = ready(self.model.known(&house::source_name(), &key)).unwrap();
        self.once("intake", &known, || {
            let catching = Catching {
                model: self.model.clone(),
                caught: Arc::default(),
            };
            self.look_at(Standing::Active, catching.clone());
            let caught = catching.caught.lock().unwrap().take();
            caught.expect("each look records something")
        })
    }

    /// What is decided on the same, at the same time, is decided once: writing texts takes long.
    fn once(
        &self,
        line: &'static str,
        known: &[Known],
        decide: impl FnOnce() -> Record,
    ) -> Box<Record> {
        thread_local! {
            static DECIDED: RefCell<HashMap<String, Record>> = RefCell::default();
        }
        let on = format!("{line} {:?} {:?} {known:?}", self.bounds, self.now());
        DECIDED
            .with_borrow_mut(|decided| Box::new(decided.entry(on).or_insert_with(decide).clone()))
    }

    fn record_reinstated(&mut self) {
        let Register::Reinstated(Some(record)) = &self.register else {
            return;
        };
        let recorded = ready(self.model.record(Record::clone(record))).unwrap();
        self.register = match recorded.conflicts.is_empty() {
            true => Register::Recorded,
            false => Register::Reinstated(None),
        };
    }

    fn decide_climb(&mut self) -> bool {
        let page = Page {
            after: Cursor::default(),
            limit: 10,
        };
        let bookings = ready(self.model.climbable(page)).unwrap();
        if bookings.is_empty() {
            return false;
        }
        self.climb = Some(self.once("upkeep", &bookings, || self.climb_of(&bookings)));
        true
    }

    fn climb_of(&self, bookings: &[Known]) -> Record {
        let shared = self.draws();
        let replan = Replan {
            shared: &shared,
            closings: &[],
            now: self.now(),
        };
        let decided = bookings.iter().map(|known| {
            let decided = replan.decide(Again::Climb, known);
            assert!(decided.problems.is_empty(), "{:?}", decided.problems);
            decided.entry
        });
        Record {
            source: house::source_name(),
            at: self.now(),
            lease: None,
            snapshot: None,
            mapping: None,
            absent: Vec::new(),
            back: Vec::new(),
            entries: decided.flatten().collect(),
            batch: None,
            faults: None,
        }
    }

    fn record_climb(&mut self) {
        if let Some(record) = self.climb.take() {
            // What came in between makes it a conflict, and upkeep finds the rung again.
            ready(self.model.record(*record)).unwrap();
        }
    }

    fn report(&mut self, state: ReportState) {
        self.reported = true;
        let at = self.now();
        let mut happened = self.truth.lock();
        let attempt = happened.taken[0].attempt;
        let report = Report {
            attempt,
            nonce: happened.claims[&attempt].nonce,
            state,
            detail: String::new(),
            at,
        };
        ready(self.model.report(&[report])).unwrap();
        happened.reported.insert((attempt, state));
    }

    // ── looking ─────────────────────────────────────────────────────────────────────────────────

    /// Every law must hold here.
    pub(super) fn judge(&mut self) {
        let broken = self.laws.look(&self.model, &self.truth);
        let path = &self.path;
        assert!(broken.is_empty(), "{broken:#?}\nafter {path:?}");
    }

    /// Everything that what comes next can hang on.
    pub(super) fn state(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.model.digest().hash(&mut hash);
        format!("{:?}", self.lines).hash(&mut hash);
        let decided = |record: &Record| (number(record), record.at);
        match &self.register {
            Register::Cancelled => 0.hash(&mut hash),
            Register::Reinstated(record) => {
                (1, record.as_deref().map(decided)).hash(&mut hash);
            }
            Register::Recorded => 2.hash(&mut hash),
        }
        self.climb.as_deref().map(decided).hash(&mut hash);
        let used = (self.passes, self.troubles, self.crashed, self.restarted);
        (used, self.reported, self.claims).hash(&mut hash);
        let happened = self.truth.lock();
        format!("{:?}{:?}", happened.claims, happened.reported).hash(&mut hash);
        for taken in &happened.taken {
            (taken.attempt, taken.at, taken.same).hash(&mut hash);
        }
        hash.finish()
    }

    /// Troubles end, and everything that can still happen does; then all must have ended well.
    pub(super) fn come_to_rest(mut self) {
        for _ in 0..ROUNDS {
            for number in 0..2 {
                for _ in 0..STEPS {
                    let event = match self.lines[number] {
                        Line::Down => Event::Restart(number),
                        Line::Idle => Event::Claim(number),
                        Line::Doubt(_) => Event::Disown(number),
                        Line::Claimed(..) => Event::Take(number),
                        Line::Taken(_) => Event::Answer(number),
                        Line::Landed(_) => Event::Settle(number),
                    };
                    let went_on = self.live(event);
                    self.judge();
                    if !went_on {
                        break;
                    }
                }
            }
            self.live(Event::Sweep);
            self.live(Event::RecordClimb);
            self.live(Event::DecideClimb);
            self.live(Event::RecordClimb);
            if let Register::Reinstated(_) = self.register {
                self.live(Event::Reinstate);
                self.live(Event::RecordReinstated);
            }
            self.live(Event::Pass);
            self.judge();
        }
        self.nobody_is_misled();
        self.everything_has_ended();
    }

    fn nobody_is_misled(&self) {
        let audit = self.model.audit();
        let path = &self.path;
        let happened = self.truth.lock();
        let phoned = audit.iter().any(|m| {
            m.channel == Channel::Phone && m.state == MessageState::Ready && m.revision == m.newest
        });
        for message in &audit {
            let moves = matches!(message.state, MessageState::Sending | MessageState::Unknown)
                || message.state == MessageState::Ready && message.channel != Channel::Phone
                || message.state == MessageState::Held && !phoned;
            assert!(!moves, "forgotten: {message:?}\nafter {path:?}");
        }
        let purpose = |taken: &HandOver| {
            let mut of = audit.iter();
            let of = of.find(|m| m.attempts.iter().any(|(a, _)| *a == taken.attempt));
            of.map(|m| m.purpose)
        };
        let last = happened.taken.last().and_then(purpose);
        let told = match self.register {
            Register::Cancelled => last == Some(Purpose::Cancellation),
            Register::Recorded => last != Some(Purpose::Cancellation),
            Register::Reinstated(_) => false,
        };
        assert!(told || phoned, "left with {last:?}\nafter {path:?}");
    }

    /// When the appointment is past, every notice has its verdict.
    fn everything_has_ended(&mut self) {
        let long = Duration::from_secs(50 * 3600);
        self.model.advance(long);
        self.truth.lock().time += long;
        for _ in 0..3 {
            self.live(Event::Sweep);
            self.judge();
        }
        let key = BookingKey("B1".to_owned());
        let known = ready(self.model.known(&house::source_name(), &[key])).unwrap();
        let path = &self.path;
        for notice in &known[0].notices {
            let verdict = verdict(notice);
            assert!(verdict.is_some(), "forgotten: {notice:?}\nafter {path:?}");
        }
    }
}

fn outgoing(claim: &Claim, start_before: Mono) -> Outgoing {
    Outgoing {
        address: claim.address.clone(),
        body: Body(claim.body.clone()),
        gateway_key: claim.gateway_key.clone(),
        report_token: String::new(),
        validity: Duration::from_secs(60),
        sender: claim.sender.clone(),
        start_before,
    }
}

fn not_sent(cause: &str) -> Outcome {
    Outcome::NotSent {
        cause: cause.to_owned(),
        retry_after: None,
        blame: Blame::Gateway,
    }
}

fn refused() -> Outcome {
    Outcome::Refused {
        cause: "refused".to_owned(),
    }
}

fn unknown() -> Outcome {
    Outcome::Unknown {
        cause: "broken off".to_owned(),
    }
}
