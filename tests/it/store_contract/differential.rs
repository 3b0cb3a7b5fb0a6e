//! Random lives of three bookings, lived by the model and by a database side by side: every answer and
//! everything that can be read must be the same, and no message may leave twice by guess.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use varsel::domain::message::{Channel, MessageId, Reason};
use varsel::domain::notice::OnUnknown;
use varsel::domain::outcome::Outcome;
use varsel::store::model::Model;
use varsel::store::{Access, Database};
use varsel::store::{
    ActError, BatchId, Claim, ClaimAsk, Deed, Entry, HoldOn, NewBundle, NewMessage, NewNotice,
    Record, ReportState, Store, SweepLimits, UnknownRule,
};

use super::fixtures::*;
use crate::support::postgres;

const BOOKINGS: u32 = 3;

/// One thing that happens; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    /// Booking `n` is cancelled or stands again, and these rungs are opened.
    Change {
        n: u32,
        rungs: Vec<u8>,
        retry: bool,
        braked: bool,
    },
    /// Bookings 1 and 2 change together, and their first rungs make a bundle.
    Bundle {
        retry: bool,
        braked: bool,
    },
    /// The newest notice of booking `n` is planned anew.
    Renew {
        n: u32,
        rungs: Vec<u8>,
        release: bool,
    },
    Claim {
        email: bool,
        brief: bool,
        limit: u32,
        rule: u8,
    },
    Settle {
        which: usize,
        outcome: u8,
    },
    Report {
        which: usize,
        state: u8,
    },
    Sweep,
    Ask,
    Wait {
        minutes: i64,
    },
    Decide {
        release: bool,
    },
    /// The newest notice of booking `n` is ticked off, or an answering machine is noted.
    Tick {
        n: u32,
        machine: bool,
    },
    /// An operator holds something, or lifts the oldest hold.
    Hold {
        on: u8,
        lift: bool,
    },
    Join,
    Erase,
}

fn rungs() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::subsequence(vec![0u8, 1, 2], 0..=3)
}

fn step() -> impl Strategy<Value = Step> {
    let n = 1..=BOOKINGS;
    prop_oneof![
        3 => (n.clone(), rungs(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(n, rungs, retry, braked)| Step::Change { n, rungs, retry, braked }),
        3 => (any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(retry, braked)| Step::Bundle { retry, braked }),
        2 => (0u8..4, any::<bool>()).prop_map(|(on, lift)| Step::Hold { on, lift }),
        2 => (n.clone(), any::<bool>()).prop_map(|(n, machine)| Step::Tick { n, machine }),
        2 => (n, rungs(), any::<bool>()).prop_map(
            |(n, rungs, release)| Step::Renew { n, rungs, release }),
        4 => (any::<bool>(), any::<bool>(), 1u32..4, 0u8..5).prop_map(
            |(email, brief, limit, rule)| Step::Claim { email, brief, limit, rule }),
        4 => (0usize..12, 0u8..5).prop_map(|(which, outcome)| Step::Settle { which, outcome }),
        3 => (0usize..12, 0u8..3).prop_map(|(which, state)| Step::Report { which, state }),
        3 => Just(Step::Sweep),
        1 => Just(Step::Ask),
        1 => (1i64..300).prop_map(|minutes| Step::Wait { minutes }),
        1 => any::<bool>().prop_map(|release| Step::Decide { release }),
        1 => Just(Step::Join),
        1 => Just(Step::Erase),
    ]
}

/// One store living through the steps.
struct Life<S> {
    store: S,
    now: DateTime<Utc>,
    claims: Vec<Claim>,
    /// Per message, what is known of each attempt: `true` while it may be out.
    out: BTreeMap<MessageId, Vec<bool>>,
    /// Per message, whether its gateway takes it only once, however often it is handed over.
    taken_once: BTreeMap<MessageId, bool>,
    retries: BTreeMap<u32, bool>,
}

/// A gateway of each kind. Every length is either nothing or longer than any life here.
fn unknown_rule(rule: u8) -> UnknownRule {
    let long = Duration::from_secs(86_400);
    let plain = UnknownRule::default();
    match rule {
        0 => UnknownRule {
            quarantine: long,
            ..plain
        },
        1 => UnknownRule {
            lookup: long,
            ..plain
        },
        2 => UnknownRule {
            dedup: 2 * long,
            ..plain
        },
        _ => plain,
    }
}

impl<S: Store> Life<S> {
    async fn new(store: S) -> Self {
        baseline(&store, BOOKINGS).await;
        // It has its name from the beginning, as a daemon has: to a process that is new to it
        // PostgreSQL leaves the time for which an earlier one may still live, and the model knows none.
        store.join("node-a").await.unwrap();
        Self {
            store,
            now: now(),
            claims: Vec::new(),
            out: BTreeMap::new(),
            taken_once: BTreeMap::new(),
            retries: BTreeMap::new(),
        }
    }

    /// Does one step; the answer is everything the store said.
    async fn live(&mut self, salt: u32, step: &Step) -> String {
        match step {
            Step::Change {
                n,
                rungs,
                retry,
                braked,
            } => {
                let known = known(&self.store, *n).await;
                let to = if known.revision % 2 == 0 {
                    cancelled(*n)
                } else {
                    active(*n)
                };
                self.retries.insert(*n, *retry);
                let notices = self.plan(*n, rungs, salt);
                let entry = change(&known, to, notices);
                self.record(vec![entry], *braked).await
            }
            Step::Bundle { retry, braked } => self.bundle(*retry, *braked, salt).await,
            Step::Renew { n, rungs, release } => self.renew(*n, rungs, *release, salt).await,
            Step::Claim {
                email,
                brief,
                limit,
                rule,
            } => self.claim(*email, *brief, *limit, *rule).await,
            Step::Settle { which, outcome } => self.settle(*which, *outcome).await,
            Step::Report { which, state } => self.report(*which, *state).await,
            Step::Sweep => {
                let limits = SweepLimits {
                    tried_since: Some(now()),
                    ..limits()
                };
                let swept = self.store.sweep(self.now, limits).await;
                format!("{:?}", swept.unwrap())
            }
            Step::Ask => {
                let mut asked = self.store.to_ask("sandbox", 1_000).await.unwrap();
                // They are sorted by the end of their leases, which are on a store's own clock.
                asked.sort_by_key(|a| a.message);
                format!("{asked:?}")
            }
            Step::Wait { minutes } => {
                self.now += TimeDelta::minutes(*minutes);
                String::new()
            }
            Step::Decide { release } => self.decide(*release, salt).await,
            Step::Tick { n, machine } => self.tick(*n, *machine, salt).await,
            Step::Hold { on, lift } => self.hold(*on, *lift, salt).await,
            Step::Join => format!("{:?}", self.store.join("node-a").await.unwrap()),
            Step::Erase => {
                let before = self.now - TimeDelta::minutes(1);
                format!("{:?}", self.store.erase(before, 2).await.unwrap())
            }
        }
    }

    /// Bookings 1 and 2 change at once, for one telephone.
    async fn bundle(&mut self, retry: bool, braked: bool, salt: u32) -> String {
        let mut entries = Vec::new();
        for n in [1, 2] {
            let known = known(&self.store, n).await;
            let to = if known.revision % 2 == 0 {
                cancelled(n)
            } else {
                active(n)
            };
            self.retries.insert(n, retry);
            let mut notices = self.plan(n, &[0], 2 * salt + n);
            notices[0].messages[0].address = person(1).contact.address(Channel::Sms);
            notices[0].messages[0].bundle = Some(NewBundle {
                lead: format!("gk-1-0-{}", 2 * salt + 1),
                others: 1,
                text: format!("together {salt}").into_bytes(),
            });
            entries.push(change(&known, to, notices));
        }
        self.record(entries, braked).await
    }

    fn plan(&self, n: u32, rungs: &[u8], salt: u32) -> Vec<NewNotice> {
        let retry = self.retries.get(&n).copied().unwrap_or_default();
        let messages = rungs.iter().map(|rung| NewMessage {
            not_before: self.now,
            body: format!("text {salt}").into_bytes(),
            ..message(n, *rung)
        });
        let notice = NewNotice {
            on_unknown: if retry {
                OnUnknown::Retry
            } else {
                OnUnknown::Hold
            },
            messages: messages.collect(),
            ..notice(n)
        };
        vec![renamed(notice, salt)]
    }

    async fn renew(&mut self, n: u32, rungs: &[u8], release: bool, salt: u32) -> String {
        let known = known(&self.store, n).await;
        let mut planned = self.plan(n, rungs, salt);
        match known
            .notices
            .iter()
            .rev()
            .find(|x| x.revision == known.revision)
        {
            Some(newest) => planned[0].reference = newest.reference,
            None => planned.clear(),
        }
        let mut entry = again(&known, planned);
        entry.release = release;
        self.record(vec![entry], false).await
    }

    async fn record(&mut self, entries: Vec<Entry>, braked: bool) -> String {
        let record = Record {
            at: self.now,
            batch: brake(1).filter(|_| braked),
            ..record(entries)
        };
        format!("{:?}", self.store.record(record).await.unwrap())
    }

    async fn claim(&mut self, email: bool, brief: bool, limit: u32, rule: u8) -> String {
        let channel = if email { Channel::Email } else { Channel::Sms };
        let lease = if brief { 0 } else { 86_400 };
        let ask = ClaimAsk {
            limit,
            lease: Duration::from_secs(lease),
            now: self.now,
            unknowns: unknown_rule(rule),
            ..ask(channel)
        };
        let claims = self.store.claim(&ask).await.unwrap();
        for claim in &claims {
            let attempts = self.out.entry(claim.message).or_default();
            let out = attempts.iter().filter(|out| **out).count();
            if out == 0 {
                let covered = !ask.unknowns.dedup.is_zero();
                self.taken_once.insert(claim.message, covered);
            }
            assert!(
                out <= 1 || self.taken_once[&claim.message],
                "handed over again although two attempts may be out"
            );
            attempts.push(true);
        }
        let said = format!("{claims:?}");
        self.claims.extend(claims);
        said
    }

    async fn settle(&mut self, which: usize, outcome: u8) -> String {
        let Some(claim) = self.claims.get(which) else {
            return String::new();
        };
        let outcome = match outcome {
            0 => accepted(),
            1 => not_sent(),
            2 => refused(),
            3 => unclear(),
            _ => Outcome::Withheld(Reason::Trial),
        };
        let mut settlement = settle(claim, outcome);
        settlement.at = self.now;
        settlement.decision.report_by = settlement.decision.report_by.map(|_| self.now + hours(1));
        if matches!(settlement.outcome, Outcome::NotSent { .. }) {
            let number = usize::try_from(claim.attempts).unwrap() - 1;
            self.out.get_mut(&claim.message).unwrap()[number] = false;
        }
        format!("{:?}", self.store.settle(&[settlement]).await.unwrap())
    }

    async fn report(&mut self, which: usize, state: u8) -> String {
        let Some(claim) = self.claims.get(which) else {
            return String::new();
        };
        let states = [
            ReportState::Delivered,
            ReportState::Undelivered,
            ReportState::Progress,
        ];
        let mut report = report(claim, states[usize::from(state)]);
        report.at = self.now;
        format!("{:?}", self.store.report(&[report]).await.unwrap())
    }

    async fn tick(&mut self, n: u32, machine: bool, salt: u32) -> String {
        let known = known(&self.store, n).await;
        let Some(newest) = known.notices.last() else {
            return String::new();
        };
        let deed = if machine {
            Deed::AnsweringMachine(newest.reference)
        } else {
            Deed::Tick(newest.reference)
        };
        self.act(deed, salt).await
    }

    async fn hold(&self, on: u8, lift: bool, salt: u32) -> String {
        let oldest = self.store.holds().await.unwrap().into_iter().next();
        let deed = match oldest {
            Some(hold) if lift => Deed::LiftHold(hold.id),
            _ => Deed::AddHold(match on {
                0 => HoldOn::All,
                1 => HoldOn::Office("gronland".into()),
                2 => HoldOn::Channel(Channel::Sms),
                _ => HoldOn::Batch(BatchId(1)),
            }),
        };
        self.act(deed, salt).await
    }

    async fn act(&self, deed: Deed, salt: u32) -> String {
        let mut act = act(&format!("act {salt}"), deed);
        act.at = self.now;
        match self.store.act(&act).await {
            Ok(acted) => format!("{acted:?}"),
            Err(ActError::Store(error)) => panic!("{error}"),
            Err(refused) => refused.to_string(),
        }
    }

    async fn decide(&mut self, release: bool, salt: u32) -> String {
        let batches = self.store.batches().await.unwrap();
        let Some(batch) = batches.first() else {
            return String::new();
        };
        let seen = batch.seen();
        let deed = if release {
            // Odd numbers try the earliest person first.
            Deed::ReleaseFirst(seen, salt % 2)
        } else {
            Deed::Discard(seen)
        };
        self.act(deed, salt).await
    }

    /// Everything that can be read.
    async fn all(&self) -> String {
        let store = &self.store;
        let keys: Vec<_> = (1..=BOOKINGS).map(key).collect();
        let mut said = format!("{:#?}", store.known(&source(), &keys).await.unwrap());
        let tally = store.tally(self.now).await.unwrap();
        said += &format!("\n{tally:?}\n{:?}", store.gauges(self.now).await.unwrap());
        said += &format!("\n{:#?}", store.batches().await.unwrap());
        said += &format!("\n{:#?}", store.calls().await.unwrap());
        said += &format!("\n{:#?}", store.holds().await.unwrap());
        let phoned = store.must_be_phoned(self.now, 2).await.unwrap();
        assert_eq!(
            phoned.people, tally.must_be_phoned,
            "the list is as long as the tally says"
        );
        said += &format!("\n{phoned:#?}");
        let due = store.next_due(Channel::Sms).await.unwrap();
        said += &format!(
            "\n{due:?}\n{:?}\n{:?}",
            store.marks(&source(), now()).await.unwrap(),
            store.watched(&source(), now()).await.unwrap()
        );
        for known in [
            store.climbable(page(2)).await,
            store.released(page(2)).await,
        ] {
            let keys = known.unwrap().into_iter().map(|k| k.appointment.key);
            said += &format!("\n{:?}", keys.collect::<Vec<_>>());
        }
        for key in keys {
            said += &format!("\n{:#?}", store.explain(&key.0).await.unwrap());
        }
        said
    }
}

async fn side_by_side(store: Database, steps: Vec<Step>) {
    let mut real = Life::new(store).await;
    let mut model = Life::new(Model::default()).await;
    for (salt, step) in (1000..).zip(&steps) {
        let expected = model.live(salt, step).await;
        assert_eq!(real.live(salt, step).await, expected, "answers to {step:?}");
        let (real, model) = (real.all().await, model.all().await);
        assert!(
            real == model,
            "after {step:?}: {}",
            differing(&real, &model)
        );
    }
    // Lives here also record notices without a rung, which the daemon never does.
    let mut breaches = real.store.verify().await.unwrap();
    breaches.retain(|breach| breach.law != "have no message at all");
    assert_eq!(breaches, [], "the store is whole");
}

/// The lines in which what the database says differs from what the model says.
fn differing(real: &str, model: &str) -> String {
    let pairs = real.lines().zip(model.lines()).filter(|(a, b)| a != b);
    pairs
        .map(|(a, b)| format!("\ndatabase {a}\nmodel    {b}"))
        .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_lives_as_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("varsel.db");
            let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
            side_by_side(store, steps).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "needs tests/servers/fetch"]
    fn postgres_lives_as_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        runtime().block_on(async {
            let db = postgres::database().await;
            side_by_side(db.open(Access::Daemon).await, steps).await;
        });
    }
}
