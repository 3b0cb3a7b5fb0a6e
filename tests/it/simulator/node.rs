//! One simulated node: the service's own lines on a runtime of their own, which stands still unless
//! the schedule drives it. Dropping the runtime is the crash: nothing of the node runs on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use varsel::channel::sms::Profile;
use varsel::clock::Clock;
use varsel::domain::breaker::BreakerLimits;
use varsel::domain::message::Channel;
use varsel::inbound::routes::{Delivery, ReportDesk};
use varsel::service::dispatch::Dispatch;
use varsel::service::intake::Intake;
use varsel::service::reports::Reports;
use varsel::service::turns::{self, Turn};
use varsel::service::upkeep::Upkeep;
use varsel::service::{Gateway, Mode, Shared};
use varsel::store::UnknownRule;

use super::gated::Gated;
use super::gates::{Door, Gates, Point};
use super::gateway::SimGate;
use super::house::{self, CLAIM_AHEAD, CONNECTIONS, LEASE, LONGEST_SEND, QUARANTINE};
use super::register::{Register, SimSource};
use super::truth::Truth;

/// Wake-ups are passed on within so many rounds of a node's runtime.
const ROUNDS: usize = 4;

/// What a node is started with.
pub(super) struct Surroundings {
    pub(super) model: varsel::store::model::Model,
    pub(super) truth: Truth,
    pub(super) gates: Gates,
    pub(super) register: Register,
    pub(super) reads: bool,
    /// Within this the gateways take a message under the same key only once; zero: they do not.
    pub(super) dedup: Duration,
    /// A second SMS gateway stands in for the first.
    pub(super) backup: bool,
}

/// A node that runs.
pub(super) struct Node {
    runtime: Runtime,
    reports: Arc<Reports<Gated>>,
    number: usize,
    shared: Arc<Shared>,
    /// Real time that its timers have not noticed yet.
    lag: Duration,
}

impl Node {
    pub(super) fn start(around: &Surroundings, number: usize, seed: u64, mode: Mode) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let store = |line| Gated {
            model: around.model.clone(),
            door: around.gates.door(number, line),
            truth: around.truth.clone(),
            reads: around.reads,
        };
        let secret = runtime.block_on(async {
            use varsel::store::{Cluster, Outbox};
            let store = store("start");
            store.join(&name(number)).await.unwrap();
            store.secret("reports").await.unwrap()
        });
        let shared = house::shared(&name(number), seed, secret);
        let lines = [
            ("sms", Channel::Sms),
            ("email", Channel::Email),
            ("backup", Channel::Sms),
        ];
        let lines = &lines[..if around.backup { 3 } else { 2 }];
        let of = |(line, channel)| gateway(around, number, line, channel, secret, mode.clone());
        let mut gateways: Vec<Gateway> = lines.iter().copied().map(of).collect();
        turns::assign(&mut gateways);
        for (gateway, (line, _)) in gateways.into_iter().zip(lines.iter().copied()) {
            let dispatch = Dispatch::new(Arc::clone(&shared), store(line), gateway);
            runtime.spawn(dispatches(around.gates.door(number, line), dispatch));
        }
        let upkeep = Upkeep::new(Arc::clone(&shared), store("upkeep"), house::retention());
        runtime.spawn(upkeeps(around.gates.door(number, "upkeep"), upkeep));
        let profile = Arc::new(Profile::built_in("sandbox").unwrap());
        let profiles = BTreeMap::from([("sandbox".to_owned(), profile)]);
        let reports = Reports::new(Arc::clone(&shared), store("reports"), profiles, Vec::new());
        Self {
            reports: Arc::new(reports),
            number,
            shared,
            lag: Duration::ZERO,
            runtime,
        }
    }

    /// From now on this node reads the register.
    pub(super) fn start_intake(&self, around: &Surroundings) {
        let door = around.gates.door(self.number, "intake");
        let source = SimSource {
            name: house::source_name(),
            register: around.register.clone(),
            door: door.clone(),
            seen: None,
        };
        let store = Gated {
            model: around.model.clone(),
            door: door.clone(),
            truth: around.truth.clone(),
            reads: around.reads,
        };
        let every = Duration::from_secs(30);
        let intake = Intake::new(Arc::clone(&self.shared), source, store, every);
        self.runtime.spawn(intakes(door, intake));
    }

    /// Lets everything run on that may, until all of it waits again.
    pub(super) fn drive(&self) {
        self.runtime.block_on(async {
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Time passes for its timers; a node that is paused notices when it runs again.
    pub(super) fn pass(&mut self, length: Duration, paused: bool) {
        self.lag += length;
        if !paused {
            let lag = std::mem::take(&mut self.lag);
            self.runtime.block_on(tokio::time::advance(lag));
        }
    }

    /// A gateway calls back; the answer is given to nobody.
    pub(super) fn take_report(&self, token: String, state: &str) {
        let delivery = Delivery {
            gateway: "sandbox".to_owned(),
            token,
            parameters: vec![("state".to_owned(), state.to_owned())],
        };
        let reports = Arc::clone(&self.reports);
        self.runtime.spawn(async move {
            let _ = ReportDesk::take(&*reports, delivery).await;
        });
    }
}

pub(super) fn name(number: usize) -> String {
    format!("node-{number}")
}

fn gateway(
    around: &Surroundings,
    node: usize,
    line: &'static str,
    channel: Channel,
    secret: [u8; 32],
    mode: Mode,
) -> Gateway {
    let gate = SimGate {
        channel,
        name: line,
        door: around.gates.door(node, line),
        truth: around.truth.clone(),
        secret,
        dedup: around.dedup,
    };
    Gateway {
        name: line.to_owned(),
        channel,
        gate: Arc::new(gate),
        mode,
        connections: CONNECTIONS,
        claim_ahead: CLAIM_AHEAD,
        lease: LEASE,
        longest_send: LONGEST_SEND,
        report_within: (channel == Channel::Sms).then_some(Duration::from_secs(3600)),
        turn: Turn::First,
        is_backed: false,
        rate: None,
        breaker: BreakerLimits::default(),
        unknowns: UnknownRule {
            quarantine: QUARANTINE,
            lookup: Duration::ZERO,
            dedup: around.dedup,
        },
    }
}

async fn dispatches(door: Door, mut line: Dispatch<Gated>) {
    loop {
        door.wait(Point::Begin).await;
        // A failed step changes nothing, as in the line's own loop: it is tried again.
        let _ = line.step(Clock::system().now()).await;
    }
}

async fn intakes(door: Door, mut line: Intake<SimSource, Gated>) {
    loop {
        door.wait(Point::Begin).await;
        let _ = line.step(Clock::system().now()).await;
    }
}

async fn upkeeps(door: Door, mut line: Upkeep<Gated>) {
    loop {
        door.wait(Point::Begin).await;
        let _ = line.step(Clock::system().now()).await;
    }
}
