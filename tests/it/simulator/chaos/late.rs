//! Word that comes when nobody waits for it any more: a node stops with a hand-over in the air, the other one ends its
//! lease, resolves what it left and perhaps gives it up or says something newer, and only then does the first one hear
//! that it was taken, or the gateway report what became of it.
//!
//! A schedule drawn step by step comes there too rarely: too much has to go well in between.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use varsel::domain::appointment::{BookingKey, Standing};
use varsel::domain::message::Channel;
use varsel::service::Mode;

use super::{Chaos, NODES};
use crate::simulator::gates::{Fate, Point, Word};
use crate::simulator::house::{LEASE, MAX_CHANGES, QUARANTINE};
use crate::simulator::quiet::go_round;

/// Leases end, unknowns are resolved and what follows from that is done within so many rounds.
const ROUNDS: u32 = 4;

impl Chaos {
    /// Lets the word of one hand-over come late, if a gateway is about to give one.
    pub(super) fn hear_late(&mut self) {
        let waiting = self.world.waiting().into_iter().map(|(_, what)| what);
        let answers: Vec<_> = waiting
            .filter(|(_, _, point)| matches!(point, Point::Answer(_)))
            .collect();
        if answers.is_empty() {
            return;
        }
        let late = answers[self.rng.random_range(0..answers.len())];
        let (stopped, other) = (late.0, (late.0 + 1) % NODES);
        if !self.world.is_up(other) {
            self.world.start(other, Mode::Live);
        }
        self.world.resume(other);
        self.world.catch_up(other);
        self.world.pause(stopped);
        // It is handed over once more and refused; or what it was about is no longer so; or its time passes.
        let hours = match self.rng.random_range(0..4) {
            0 | 1 => 0,
            2 => {
                self.turn_round();
                0
            }
            _ => self.rng.random_range(2..240),
        };
        self.let_time_end_it(other, hours);
        if let Point::Answer(attempt) = late.2
            && self.rng.random_ratio(1, 2)
        {
            self.report_of(attempt, other);
        }
        self.world.resume(stopped);
        let waiting = self.world.waiting().into_iter();
        let mut heard = waiting.filter(|(_, what)| *what == late);
        if let Some((index, _)) = heard.next_back() {
            self.world.tell(index, late, Word::Go);
        }
        go_round(&mut self.world, Word::Fate(Fate::Take));
    }

    /// As many bookings as one poll may change become what they were not: cancelled, or active again.
    fn turn_round(&mut self) {
        let first = self.rng.random_range(0..self.bookings);
        let some = (first..first + MAX_CHANGES).map(|n| n % self.bookings + 1);
        let some: BTreeSet<u32> = some.collect();
        self.world.note(format!("register, turned round: {some:?}"));
        self.world.around.register.change(|rows| {
            for n in some {
                if let Some(row) = rows.rows.get_mut(&BookingKey(format!("B{n}"))) {
                    let standing = &mut row.appointment.state.standing;
                    *standing = match standing {
                        Standing::Active => Standing::Cancelled,
                        Standing::Cancelled => Standing::Active,
                    };
                }
            }
        });
    }

    /// So many hours pass, and the other node does what follows, at gateways that take nothing.
    fn let_time_end_it(&mut self, other: usize, hours: u64) {
        self.world.pass(Duration::from_secs(hours * 3600));
        for _ in 0..ROUNDS {
            self.world.pass(LEASE + QUARANTINE);
            self.world.catch_up(other);
            go_round(&mut self.world, Word::Fate(Fate::Refuse));
        }
    }

    /// The gateway says what became of an attempt.
    fn report_of(&mut self, attempt: i64, node: usize) {
        let token = {
            let happened = self.world.around.truth.lock();
            let mut taken = happened.taken.iter();
            let taken = taken.find(|t| t.attempt.0 == attempt && t.channel == Channel::Sms);
            taken.map(|t| t.token.clone())
        };
        let state = ["delivered", "delivered", "undelivered"][self.rng.random_range(0..3)];
        if let Some(token) = token {
            self.world.report(node, token, state);
            go_round(&mut self.world, Word::Fate(Fate::Take));
        }
    }
}
