//! One random life of a world, from one seed: what happens next is drawn by lot, with weights that
//! are themselves drawn, so that each seed has troubles of its own. Then the world calms down, and
//! everything must have ended.

mod late;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use varsel::channel::report_token::{Named, token};
use varsel::domain::appointment::{BookingKey, Standing};
use varsel::domain::directory::OfficeId;
use varsel::domain::message::Channel;
use varsel::domain::reference::Reference;
use varsel::service::Mode;
use varsel::store::model::Model;
use varsel::store::{Act, Deed, Desk, HoldOn, SeenBatch};

use super::calls::Call;
use super::gates::{Fate, Point, Word};
use super::house::beginning;
use super::quiet;
use super::register::booking;
use super::world::World;

/// So many things happen before a world calms down.
const STEPS: u32 = 220;
/// How long a gateway that de-duplicates remembers a key.
/// It never ends in the instant in which a lease does, which a real clock could not be held to.
const DEDUP: Duration = Duration::from_millis(600_500);
/// How often word of a hand-over comes late in the worlds in which it may, in per mille of the steps.
const LATE: u32 = 120;
/// Nodes of a random world.
pub(super) const NODES: usize = 2;

/// What a seed's life came to.
pub(super) struct Life {
    pub(super) hash: String,
    pub(super) moves: BTreeSet<super::laws::Move>,
    pub(super) words: BTreeSet<String>,
    pub(super) taken: usize,
    pub(super) twice: usize,
    pub(super) trace: Vec<String>,
}

/// How likely each trouble is, in per mille of the steps.
struct Weights {
    time: u32,
    register: u32,
    crash: u32,
    pause: u32,
    report: u32,
    person: u32,
    store: u32,
    gateway: u32,
    lost: u32,
    forge: u32,
}

impl Weights {
    fn draw(rng: &mut StdRng) -> Self {
        let mut of = |most: u32| match rng.random_range(0..3) {
            0 => 0,
            1 => most / 4,
            _ => most,
        };
        Self {
            time: 50 + of(100),
            register: 40 + of(80),
            crash: of(30),
            pause: of(40),
            report: 50 + of(120),
            person: of(60),
            store: of(150),
            gateway: of(600),
            lost: of(500),
            forge: of(300),
        }
    }
}

struct Chaos {
    world: World,
    rng: StdRng,
    weights: Weights,
    bookings: u32,
    acts: u32,
    /// Whether word of a hand-over may come when nobody waits for it any more.
    late: bool,
    /// Whom the call list has named, each time that somebody looked at it.
    printed: Vec<Reference>,
}

/// Lives the life of one seed.
pub(super) fn live(seed: u64) -> Life {
    live_on(seed, false).0
}

/// Lives the life of one seed, and keeps each call of the store if somebody asks for it.
pub(super) fn live_on(seed: u64, keeps_calls: bool) -> (Life, Vec<(Call, String)>, Model) {
    let mut rng = StdRng::seed_from_u64(seed);
    let weights = Weights::draw(&mut rng);
    let bookings = rng.random_range(2..=6);
    let dedup = if rng.random_ratio(1, 3) {
        DEDUP
    } else {
        Duration::ZERO
    };
    let family = seed % 3 == 1;
    let world = World::new(seed, NODES, true, dedup);
    for n in 1..=bookings {
        let hours = [3, 30, 60, 200][rng.random_range(0..4)] + i64::from(n);
        let mut row = booking(n, rng.random_ratio(1, 3), beginning(), hours);
        if rng.random_ratio(1, 12) {
            // There is only the telephone, and whoever finds a number.
            row.reach(None, None);
        }
        if family {
            row.join_family(n, beginning() + TimeDelta::hours(40));
        }
        let key = row.appointment.key.clone();
        world.around.register.change(|rows| {
            rows.rows.insert(key, row);
        });
    }
    world.around.truth.lock().calls = keeps_calls.then(Vec::new);
    let mut chaos = Chaos {
        world,
        rng,
        weights,
        bookings,
        acts: 0,
        late: seed % 8 == 5,
        printed: Vec::new(),
    };
    chaos.begin();
    for _ in 0..STEPS {
        chaos.step();
    }
    quiet::end(&mut chaos.world, &mut chaos.rng);
    let Chaos { world, .. } = chaos;
    let mut happened = world.around.truth.lock();
    if world.laws.bundles > 0 {
        happened.words.insert("bundle".to_owned());
    }
    let calls = happened.calls.take().unwrap_or_default();
    let life = Life {
        hash: world.hash_with(&happened),
        moves: world.laws.moves.clone(),
        words: happened.words.clone(),
        taken: happened.taken.len(),
        twice: world.laws.twice(),
        trace: world.trace.clone(),
    };
    (life, calls, world.around.model.clone())
}

impl Chaos {
    fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.random_range(0..1000) < per_mille
    }

    fn begin(&mut self) {
        if self.rng.random_ratio(1, 4) {
            for place in &mut self.world.places {
                place.skew = TimeDelta::seconds(self.rng.random_range(-240..=240));
            }
        }
        for number in 0..NODES {
            self.start(number);
        }
        // The baseline, so that there is somebody to tell.
        quiet::go_round(&mut self.world, Word::Fate(Fate::Take));
    }

    fn start(&mut self, number: usize) {
        let mode = if self.rng.random_ratio(1, 20) {
            Mode::Trial(Vec::new())
        } else {
            Mode::Live
        };
        self.world.start(number, mode);
    }

    fn step(&mut self) {
        if self.late && self.chance(LATE) {
            self.hear_late();
            return;
        }
        let w = &self.weights;
        let order = [w.time, w.register, w.crash, w.pause, w.report, w.person];
        let mut drawn = self.rng.random_range(0..1000);
        let mut kind = order.len();
        for (n, weight) in order.into_iter().enumerate() {
            if drawn < weight {
                kind = n;
                break;
            }
            drawn -= weight;
        }
        match kind {
            0 => self.pass(),
            1 => self.change_register(),
            2 => self.crash_or_start(),
            3 => self.pause_or_resume(),
            4 => self.report(),
            5 => self.person(),
            _ => self.go_on(),
        }
    }

    fn pass(&mut self) {
        let seconds = match self.rng.random_range(0..10) {
            0..5 => self.rng.random_range(1..30),
            5..8 => self.rng.random_range(30..180),
            8 => self.rng.random_range(600..4000),
            _ => self.rng.random_range(4000..30_000),
        };
        self.world.pass(Duration::from_secs(seconds));
    }

    fn go_on(&mut self) {
        let waiting = self.world.waiting();
        if waiting.is_empty() {
            return;
        }
        let (index, what) = waiting[self.rng.random_range(0..waiting.len())];
        let word = match what.2 {
            Point::Before(_) if self.chance(self.weights.store) => {
                [Word::Fail, Word::DoubtDone, Word::DoubtUndone][self.rng.random_range(0..3)]
            }
            Point::Read(_) | Point::Source(_) if self.chance(self.weights.store / 3) => Word::Fail,
            Point::FirstByte(_) => Word::Fate(self.fate()),
            Point::Answer(_) if self.chance(self.weights.lost) => Word::Lost,
            _ => Word::Go,
        };
        self.world.tell(index, what, word);
    }

    fn fate(&mut self) -> Fate {
        if !self.chance(self.weights.gateway) {
            return Fate::Take;
        }
        let fates = [
            Fate::NoConnection,
            Fate::Busy,
            Fate::Refuse,
            Fate::Broken,
            Fate::Locked,
        ];
        fates[self.rng.random_range(0..fates.len())]
    }

    fn crash_or_start(&mut self) {
        let number = self.rng.random_range(0..NODES);
        if self.world.is_up(number) {
            self.world.crash(number);
        } else {
            self.start(number);
        }
    }

    fn pause_or_resume(&mut self) {
        let number = self.rng.random_range(0..NODES);
        if !self.world.is_up(number) {
            return;
        }
        if !self.world.places[number].paused {
            self.world.pause(number);
            if self.rng.random_ratio(1, 2) {
                self.world
                    .pass(Duration::from_secs(self.rng.random_range(30..300)));
            }
            return;
        }
        self.world.resume(number);
        if self.rng.random_ratio(1, 2) {
            self.world.catch_up(number);
        }
    }

    fn report(&mut self) {
        let up: Vec<usize> = (0..NODES)
            .filter(|n| self.world.is_up(*n) && !self.world.places[*n].paused)
            .collect();
        let Some(number) = up.get(self.rng.random_range(0..NODES)).copied() else {
            return;
        };
        let taken: Vec<(i64, String)> = {
            let happened = self.world.around.truth.lock();
            let sms = happened.taken.iter().filter(|t| t.channel == Channel::Sms);
            sms.map(|t| (t.attempt.0, t.token.clone())).collect()
        };
        let state = [
            "delivered",
            "delivered",
            "undelivered",
            "sent",
            "a word never seen",
        ];
        let state = state[self.rng.random_range(0..state.len())];
        if self.chance(self.weights.forge) {
            let attempt = self.rng.random_range(1..20);
            let forged = match self.rng.random_range(0..3) {
                // Somebody else's secret.
                0 => token(&[9; 32], Named { attempt, nonce: 1 }),
                1 => format!("{attempt:x}-{}", "0".repeat(32)),
                // Ours, of an attempt that this store does not have.
                _ => {
                    let attempt = 999_000 + attempt;
                    token(&self.world.secret(), Named { attempt, nonce: 1 })
                }
            };
            self.world.report(number, forged, state);
        } else if !taken.is_empty() {
            let (_, token) = taken[self.rng.random_range(0..taken.len())].clone();
            self.world.report(number, token, state);
        }
    }

    fn person(&mut self) {
        let deed = match self.rng.random_range(0..8) {
            0 => Some(Deed::AddHold(self.hold())),
            1 => self.lift(),
            2..=4 => self.call(),
            _ => self.decide(),
        };
        if let Some(deed) = deed {
            self.acts += 1;
            quiet::act(&mut self.world, self.acts, deed);
        }
    }

    fn decide(&mut self) -> Option<Deed> {
        let batches = ready(self.world.around.model.batches()).unwrap();
        let batch = batches.iter().find(|batch| !batch.releasing)?;
        let stale = u32::from(self.rng.random_ratio(1, 4));
        let seen = SeenBatch {
            batch: batch.id,
            version: batch.version + stale,
            people: batch.people,
        };
        Some(match self.rng.random_ratio(2, 3) {
            true => Deed::Release(seen),
            false => Deed::Discard(seen),
        })
    }

    fn hold(&mut self) -> HoldOn {
        match self.rng.random_range(0..4) {
            0 => HoldOn::All,
            1 => HoldOn::Office(OfficeId("gronland".to_owned())),
            2 => HoldOn::Channel(Channel::Sms),
            _ => HoldOn::Channel(Channel::Email),
        }
    }

    fn lift(&mut self) -> Option<Deed> {
        let holds = ready(self.world.around.model.holds()).unwrap();
        let hold = holds.get(self.rng.random_range(0..2))?;
        Some(Deed::LiftHold(hold.id))
    }

    /// Somebody of the call list is phoned, as it stands or as it stood when it was printed.
    fn call(&mut self) -> Option<Deed> {
        let calls = ready(self.world.around.model.calls()).unwrap();
        self.printed
            .extend(calls.iter().map(|call| call.person.reference));
        let last = self.printed.len().checked_sub(1)?;
        let reference = self.printed[self.rng.random_range(0..=last)];
        Some(match self.rng.random_ratio(3, 4) {
            true => Deed::Tick(reference),
            false => Deed::AnsweringMachine(reference),
        })
    }

    fn change_register(&mut self) {
        let n = self.rng.random_range(1..=self.bookings);
        let key = BookingKey(format!("B{n}"));
        let kind = self.rng.random_range(0..14);
        let days = self.rng.random_range(1..5);
        let number = 100 + n + self.rng.random_range(0..3);
        let (has_phone, has_email) = (self.rng.random_ratio(2, 3), self.rng.random_ratio(2, 3));
        self.world.note(format!("register {}: {kind}", key.0));
        let bookings = self.bookings;
        self.world.around.register.change(|rows| {
            if kind == 13 {
                rows.blank = !rows.blank;
                return;
            }
            if kind == 12 {
                for n in 1..=bookings {
                    if let Some(row) = rows.rows.get_mut(&BookingKey(format!("B{n}"))) {
                        row.appointment.state.standing = Standing::Cancelled;
                    }
                }
                return;
            }
            if kind == 10 {
                // Two at once.
                for n in [n, n % bookings + 1] {
                    if let Some(row) = rows.rows.get_mut(&BookingKey(format!("B{n}"))) {
                        row.appointment.state.standing = Standing::Cancelled;
                    }
                }
                return;
            }
            let Some(row) = rows.rows.get_mut(&key) else {
                return;
            };
            let state = &mut row.appointment.state;
            match kind {
                0..=2 => state.standing = Standing::Cancelled,
                3 | 4 => state.standing = Standing::Active,
                5 => state.start += TimeDelta::hours(24 * days),
                // Only passports are issued at more than one office.
                6 if state.office.0 == "sentrum" => {}
                6 => {
                    let other = ["furuset", "ryen"][usize::from(state.office.0 == "furuset")];
                    state.office = OfficeId(other.to_owned());
                }
                7 => row.gone = !row.gone,
                8 => row.missed = !row.missed,
                9 => row.strange = !row.strange,
                _ => row.reach(has_phone.then_some(number), has_email.then_some(number)),
            }
        });
    }
}

/// The answer of a call that never waits.
pub(super) fn ready<T>(call: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};
    let mut call = std::pin::pin!(call);
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the model never waits"),
    }
}

/// A person's act, done at once.
pub(super) fn act(world: &World, number: u32, deed: Deed) -> String {
    let act = Act {
        actor: "kari".to_owned(),
        reason: "looked at the register".to_owned(),
        idempotency_key: format!("act {number}"),
        at: world.now(0),
        deed,
    };
    let acted = ready(world.around.model.act(&act));
    let said = match &acted {
        Ok(acted) => format!("{acted:?}"),
        Err(refused) => refused.to_string(),
    };
    let word = match &act.deed {
        Deed::AddHold(_) => "hold",
        Deed::LiftHold(_) => "lifted",
        Deed::Tick(_) => "tick",
        Deed::AnsweringMachine(_) => "answering machine",
        _ => "decision",
    };
    if acted.is_ok() {
        world.around.truth.lock().words.insert(word.to_owned());
    }
    world.around.truth.keep(|| (Call::Act(act), said));
    match acted {
        Ok(acted) => format!("{} people", acted.count),
        Err(refused) => refused.to_string(),
    }
}
