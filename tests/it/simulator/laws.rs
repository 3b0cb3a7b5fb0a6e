//! The promise as laws: what must hold after every step, and what must hold when all is quiet. Each
//! compares what the store says with what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use varsel::domain::message::{Channel, MessageId, MessageState, Reason};
use varsel::domain::notice::{NoticeId, OnUnknown};
use varsel::domain::outcome::ReportState;
use varsel::domain::recipient::Role;
use varsel::store::AttemptId;
use varsel::store::model::Model;
use varsel::store::model::audit::{Audited, Moved};

use super::house::{CLAIM_AHEAD, CONNECTIONS, QUARANTINE};
use super::truth::{HandOver, Happened, Truth};

/// One way a message moved: event, from, to.
pub(super) type Move = (&'static str, Option<MessageState>, MessageState);

/// Looks after every step, and remembers where it looked last.
#[derive(Clone, Default)]
pub(super) struct Laws {
    pub(super) lines: usize,
    taken: usize,
    /// Per booking and person, the newest revision that was handed over.
    newest: BTreeMap<(String, Role), u32>,
    /// Per message, how often it was taken.
    times: BTreeMap<MessageId, u32>,
    /// Per message and the messages it left with, as what.
    seen: BTreeMap<(MessageId, BTreeSet<MessageId>), (String, Vec<u8>)>,
    /// Hand-overs that told several notices.
    pub(super) bundles: usize,
    retries: BTreeMap<MessageId, u32>,
    pub(super) moves: BTreeSet<Move>,
    /// What the last step did, for the trace.
    pub(super) last: Vec<Moved>,
    broken: Vec<String>,
}

impl Laws {
    /// What the last step broke; nothing, if all is well.
    pub(super) fn look(&mut self, model: &Model, truth: &Truth) -> Vec<String> {
        let audit = model.audit();
        let (moves, lines) = model.moves(self.lines);
        if lines < self.lines {
            self.broken
                .push("the history has become shorter".to_owned());
        }
        self.lines = lines;
        let mut happened = truth.lock();
        let by_id: BTreeMap<MessageId, &Audited> = audit.iter().map(|m| (m.id, m)).collect();
        for moved in &moves {
            self.moved(moved, by_id[&moved.message], &happened);
        }
        self.last = moves;
        for taken in &happened.taken[self.taken..] {
            self.handed_over(taken, &by_id, &happened);
        }
        self.taken = happened.taken.len();
        self.one_of_each(&audit);
        for message in &audit {
            self.honest(message, &happened);
        }
        self.few_in_flight(&happened);
        self.broken.append(&mut happened.broken);
        std::mem::take(&mut self.broken)
    }

    fn law(&mut self, holds: bool, broken: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(broken());
        }
    }

    /// What may be claimed, and when an unknown may be resolved.
    fn moved(&mut self, moved: &Moved, message: &Audited, happened: &Happened) {
        let id = message.id.0;
        self.moves.insert((moved.event, moved.from, moved.to));
        if moved.to == MessageState::Sending {
            self.law(message.revision == message.newest, || {
                format!(
                    "stale: message {id} was claimed for revision {}, and {} stands",
                    message.revision, message.newest
                )
            });
            self.law(!message.braked, || {
                format!("brake: message {id} was claimed although its batch is held")
            });
            self.law(!message.stopped, || {
                format!("hold: message {id} was claimed although a person stopped it")
            });
            self.law(!message.phoned, || {
                format!("tick: message {id} was claimed although its person was phoned")
            });
            let older = &message.attempts[..message.attempts.len() - 1];
            for (attempt, _) in older {
                let claim = &happened.claims[attempt];
                self.law(claim.settled || claim.until <= happened.time, || {
                    format!(
                        "one holder: message {id} was claimed while attempt {} is held",
                        attempt.0
                    )
                });
            }
        }
        let lease = message
            .attempts
            .last()
            .and_then(|(a, _)| happened.claims.get(a));
        let until = lease.map_or(Duration::ZERO, |claim| claim.until);
        if moved.event == "lease_ended" {
            self.law(moved.to == MessageState::Unknown, || {
                format!("a lease's end made message {id} {}", moved.to)
            });
            self.law(until <= happened.time, || {
                format!("the lease of message {id} ended early")
            });
        }
        if moved.event == "retry" {
            *self.retries.entry(message.id).or_default() += 1;
        }
        let resolved = moved.event == "retry"
            || (moved.event == "hold" && message.reason == Some(Reason::Unknown));
        // An outcome that the node itself saw as unknown may leave its lease behind, never its end. What was refused or not
        // sent is not in the air.
        let attempts = message.attempts.iter();
        let in_the_air = attempts.filter(|(_, word)| !matches!(word, Some("refused" | "not_sent")));
        let ends = in_the_air.filter_map(|(a, _)| Some(happened.claims.get(a)?.until));
        let last = ends.max().unwrap_or(Duration::ZERO);
        if resolved {
            self.law(last + QUARANTINE <= happened.time, || {
                format!("quarantine: message {id} was resolved before its time")
            });
        }
    }

    /// Written before spoken, never twice by guess, never backwards, byte for byte the same.
    fn handed_over(
        &mut self,
        taken: &HandOver,
        by_id: &BTreeMap<MessageId, &Audited>,
        happened: &Happened,
    ) {
        let attempt = taken.attempt.0;
        let Some(claim) = happened.claims.get(&taken.attempt) else {
            self.broken.push(format!(
                "written before spoken: attempt {attempt} left without an intent"
            ));
            return;
        };
        let of_it = |m: &&&Audited| m.attempts.iter().any(|(a, _)| *a == taken.attempt);
        let told: Vec<&Audited> = by_id.values().filter(of_it).copied().collect();
        let ids: BTreeSet<MessageId> = told.iter().map(|message| message.id).collect();
        self.law(ids.contains(&claim.message), || {
            let id = claim.message.0;
            format!("written before spoken: message {id} has no attempt {attempt}")
        });
        self.law(taken.at <= claim.until, || {
            format!("lease: attempt {attempt} left after its lease")
        });
        if taken.same {
            return;
        }
        self.bundles += usize::from(told.len() > 1);
        for message in told {
            self.tells(message, taken, &ids);
        }
    }

    /// One of the messages that a hand-over told.
    fn tells(&mut self, message: &Audited, taken: &HandOver, company: &BTreeSet<MessageId>) {
        let id = message.id.0;
        let times = self.times.get(&message.id).copied().unwrap_or(0);
        let allowed = self.retries.get(&message.id).copied().unwrap_or(0).min(1);
        let flagged = message.possible_duplicate && message.on_unknown == OnUnknown::Retry;
        self.law(times <= allowed && (times == 0 || flagged), || {
            format!("never twice by guess: message {id} was handed over {} times, retried {allowed} times, marked {flagged}", times + 1)
        });
        self.times.insert(message.id, times + 1);
        let seen = self.seen.entry((message.id, company.clone()));
        let same = *seen.or_insert_with(|| taken.seen.clone()) == taken.seen;
        self.law(same, || {
            format!("message {id} left with other bytes or another key")
        });
        let person = (message.booking.0.clone(), message.role.clone());
        let newest = self.newest.get(&person).copied().unwrap_or(0);
        self.law(newest <= message.revision, || {
            format!(
                "never backwards: message {id} of revision {} left after one of {newest}",
                message.revision
            )
        });
        self.newest.insert(person, newest.max(message.revision));
    }

    /// One notice per key, one message per rung.
    fn one_of_each(&mut self, audit: &[Audited]) {
        let mut notices: BTreeMap<_, NoticeId> = BTreeMap::new();
        let mut rungs = BTreeSet::new();
        for m in audit {
            let key = (&m.booking, m.revision, m.purpose, m.occasion, &m.role);
            let first = *notices.entry(key).or_insert(m.notice);
            self.law(first == m.notice, || {
                format!(
                    "one decision: notices {} and {} say the same",
                    first.0, m.notice.0
                )
            });
            self.law(rungs.insert((m.notice, m.rung)), || {
                format!("notice {} has two messages on rung {}", m.notice.0, m.rung)
            });
        }
    }

    /// What the store says of a message is what happened.
    fn honest(&mut self, message: &Audited, happened: &Happened) {
        let id = message.id.0;
        for (attempt, outcome) in &message.attempts {
            let taken = happened.was_taken(*attempt);
            let lie = match outcome {
                Some("accepted") => !taken,
                Some("not_sent" | "refused" | "withheld") => taken,
                Some(_) | None => false,
            };
            self.law(!lie, || {
                format!(
                    "honest words: attempt {} is called {outcome:?}, and taken is {taken}",
                    attempt.0
                )
            });
        }
        let any = |says: &dyn Fn(AttemptId) -> bool| message.attempts.iter().any(|(a, _)| says(*a));
        let reported = |state| move |a: AttemptId| happened.reported.contains(&(a, state));
        let said = match message.state {
            MessageState::Delivered => {
                let ticked = message.channel == Channel::Phone && happened.words.contains("tick");
                ticked || any(&reported(ReportState::Delivered))
            }
            MessageState::Undelivered => any(&reported(ReportState::Undelivered)),
            MessageState::Accepted | MessageState::Unconfirmed => any(&|a| happened.was_taken(a)),
            MessageState::Held => matches!(
                message.reason,
                Some(Reason::Brake | Reason::Operator | Reason::Unknown | Reason::Poison)
            ),
            MessageState::Suppressed => message.reason.is_some(),
            _ => true,
        };
        self.law(said, || {
            format!(
                "honest words: message {id} is {} for {:?} without ground",
                message.state, message.reason
            )
        });
    }

    /// A node holds no more claims than its connections and what it may claim ahead.
    fn few_in_flight(&mut self, happened: &Happened) {
        let mut held: BTreeMap<usize, u32> = BTreeMap::new();
        for claim in happened
            .claims
            .values()
            .filter(|c| c.heard && !c.settled && happened.time < c.until)
        {
            *held.entry(claim.node).or_default() += 1;
        }
        let most = 3 * (CONNECTIONS + CLAIM_AHEAD);
        for (node, held) in held {
            self.law(held <= most, || format!("node {node} holds {held} claims"));
        }
    }

    /// How many messages were handed over twice.
    pub(super) fn twice(&self) -> usize {
        self.times.values().filter(|times| **times > 1).count()
    }
}
