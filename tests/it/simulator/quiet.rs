//! How a world comes to rest, and what must hold then: every notice has its verdict, and nobody
//! believes something false without a notice that says otherwise.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use varsel::domain::appointment::{BookingKey, Standing};
use varsel::domain::change::change;
use varsel::domain::message::{Channel, MessageState};
use varsel::domain::notice::beliefs;
use varsel::domain::verdict::verdict;
use varsel::service::Mode;
use varsel::store::{Deed, Desk, Known, Ledger, SeenBatch};

use super::chaos::{self, ready};
use super::gates::{Fate, Point, Word};
use super::house::source_name;
use super::world::World;

/// What gateways without trouble say.
const TAKE: Word = Word::Fate(Fate::Take);

/// Nothing needs more rounds than this without time passing.
const MOST_ROUNDS: usize = 20;

/// A line that has not come round within so many points hangs.
const MOST_POINTS: usize = 200;

/// A person does something.
pub(super) fn act(world: &mut World, number: u32, deed: Deed) {
    let what = format!("{deed:?}");
    let said = chaos::act(world, number, deed);
    world.note(format!("kari, {what}: {said}"));
    world.settle_acts();
}

/// Every line of every node goes round once, without trouble; `fate` is what gateways say.
pub(super) fn go_round(world: &mut World, fate: Word) {
    let mut begun: Vec<(usize, &'static str)> = Vec::new();
    for _ in 0..MOST_POINTS {
        let waiting = world.waiting();
        let next = waiting.into_iter().find(|(_, (node, line, point))| {
            *point != Point::Begin || !begun.contains(&(*node, *line))
        });
        let Some((index, what)) = next else {
            return;
        };
        if what.2 == Point::Begin {
            begun.push((what.0, what.1));
        }
        let word = match what.2 {
            Point::FirstByte(_) => fate,
            _ => Word::Go,
        };
        world.tell(index, what, word);
    }
    world.fail("a world without trouble does not come to rest");
}

/// Goes round until a round moves nothing.
fn come_to_rest(world: &mut World) {
    for _ in 0..MOST_ROUNDS {
        let before = world.laws.lines;
        go_round(world, TAKE);
        if world.laws.lines == before {
            return;
        }
    }
    world.fail("a world without trouble moves for ever");
}

/// All troubles end, and time goes on until nothing can happen any more.
pub(super) fn end(world: &mut World, rng: &mut StdRng) {
    world.note("calm".to_owned());
    world.around.register.heal();
    // One node is enough to end what several began.
    for number in 1..world.places.len() {
        world.crash(number);
    }
    if world.is_up(0) {
        world.resume(0);
        world.catch_up(0);
    } else {
        world.start(0, Mode::Live);
    }
    let holds = ready(world.around.model.holds()).unwrap();
    for (number, hold) in (900..).zip(holds) {
        act(world, number, Deed::LiftHold(hold.id));
    }
    let (reports, decides) = (rng.random_ratio(2, 3), rng.random_ratio(3, 4));
    // Absences are confirmed, batches decided, retries and unknowns come due.
    for round in 0..4 {
        go_round(world, TAKE);
        if decides {
            decide(world, 1000 + round, rng.random_ratio(3, 4));
        }
        if reports {
            report_all(world);
        }
        world.pass(Duration::from_secs(130));
    }
    come_to_rest(world);
    nobody_is_misled(world);
    // Reports are missed, windows open, deadlines pass, rungs are climbed.
    for hours in [2, 14, 14, 60, 400] {
        world.pass(Duration::from_secs(hours * 3600));
        come_to_rest(world);
    }
    everything_has_ended(world);
}

fn decide(world: &mut World, number: u32, release: bool) {
    let batches = ready(world.around.model.batches()).unwrap();
    for (n, batch) in (0..).zip(batches.iter().filter(|batch| !batch.releasing)) {
        let seen = SeenBatch {
            batch: batch.id,
            version: batch.version,
            people: batch.people,
        };
        let deed = match release {
            true => Deed::Release(seen),
            false => Deed::Discard(seen),
        };
        act(world, number * 10 + n, deed);
    }
}

fn report_all(world: &mut World) {
    let silent: Vec<String> = {
        let happened = world.around.truth.lock();
        let sms = happened.taken.iter().filter(|t| t.channel == Channel::Sms);
        let unreported = |attempt| !happened.reported.iter().any(|(a, _)| *a == attempt);
        sms.filter(|t| unreported(t.attempt))
            .map(|t| t.token.clone())
            .collect()
    };
    for token in silent {
        world.report(0, token, "delivered");
        go_round(world, TAKE);
    }
}

fn known(world: &World) -> Vec<Known> {
    let keys: Vec<BookingKey> = world.around.register.lock().rows.keys().cloned().collect();
    ready(world.around.model.known(&source_name(), &keys)).unwrap()
}

/// Our copies are those of the register, and whoever may believe something else has a notice of
/// the newest revision.
fn nobody_is_misled(world: &mut World) {
    let mut broken = Vec::new();
    let now = world.now(0);
    for known in known(world) {
        let key = &known.appointment.key;
        let row = world.around.register.lock().rows[key].clone();
        let copy = &known.appointment.state;
        let mut is = row.appointment.state.clone();
        if row.gone {
            is.standing = Standing::Cancelled;
        }
        if is.start.min(copy.start) <= now {
            continue;
        }
        let same = match is.standing {
            Standing::Cancelled => copy.standing == Standing::Cancelled,
            Standing::Active => *copy == is,
        };
        if !same {
            broken.push(format!(
                "forgotten: {} is {is:?} and stands as {copy:?}",
                key.0
            ));
        }
        for recipient in &known.appointment.recipients {
            let believed = beliefs(&known.base, &known.notices, &recipient.role);
            let Some(change) = change(copy, &believed) else {
                continue;
            };
            let told = |n: &&varsel::domain::notice::NoticeBrief| {
                n.role == recipient.role && n.revision == known.revision
            };
            let past = change.old.start <= now || change.new.start <= now;
            if !past && !known.notices.iter().any(|n| told(&n)) {
                broken.push(format!(
                    "forgotten: {} may believe {:?}, and no notice says otherwise",
                    key.0, change.old
                ));
            }
        }
    }
    if !broken.is_empty() {
        world.fail(&broken.join("\n"));
    }
}

/// At the very end every notice has its verdict, and nothing is in motion.
fn everything_has_ended(world: &mut World) {
    let mut broken = Vec::new();
    for known in known(world) {
        for notice in &known.notices {
            if verdict(notice).is_none() {
                broken.push(format!(
                    "forgotten: notice {} has no verdict: {:?}",
                    notice.id.0, notice.messages
                ));
            }
        }
    }
    for message in world.around.model.audit() {
        let moves = matches!(
            message.state,
            MessageState::Ready
                | MessageState::Sending
                | MessageState::Unknown
                | MessageState::Held
        );
        if moves {
            broken.push(format!(
                "forgotten: message {} is still {}",
                message.id.0, message.state
            ));
        }
    }
    if !broken.is_empty() {
        world.fail(&broken.join("\n"));
    }
}
