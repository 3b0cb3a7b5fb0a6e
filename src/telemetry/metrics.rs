//! The figures for Prometheus, with bounded labels: sources, channels and fixed words, never people.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::domain::alarm::{AlarmKind, Concern};
use crate::domain::appointment::SourceName;
use crate::domain::message::Channel;

/// A gauge of seconds.
type Seconds = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Horizon {
    horizon: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMessage {
    channel: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReport {
    channel: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfUnknown {
    resolved: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAlarm {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGateway {
    gateway: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStop {
    why: &'static str,
}

/// Every figure. A clone shows the same figures.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    untold: Gauge,
    oldest_due: Seconds,
    held_batches: Gauge,
    release_by: Family<OfSource, Seconds>,
    call_list_people: Gauge,
    operator_holds: Gauge,
    snapshot_age: Family<OfSource, Seconds>,
    messages: Family<OfMessage, Counter>,
    reports: Family<OfReport, Counter>,
    reports_let_go: Counter,
    set_aside: Counter,
    unknowns: Family<OfUnknown, Counter>,
    paused: Family<OfGateway, Gauge>,
    alarms: Family<OfAlarm, Gauge>,
    stopped: Family<OfStop, Gauge>,
    faults: Family<OfSource, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("varsel");
        let by_horizon = Family::<Horizon, Gauge>::default();
        let untold = by_horizon.get_or_create_owned(&Horizon { horizon: "24h" });
        let metrics = Self {
            untold,
            oldest_due: Seconds::default(),
            held_batches: Gauge::default(),
            release_by: Family::default(),
            call_list_people: Gauge::default(),
            operator_holds: Gauge::default(),
            snapshot_age: Family::default(),
            messages: Family::default(),
            reports: Family::default(),
            reports_let_go: Counter::default(),
            set_aside: Counter::default(),
            unknowns: Family::default(),
            paused: Family::default(),
            alarms: Family::default(),
            stopped: Family::default(),
            faults: Family::default(),
            registry: Arc::default(),
        };
        registry.register(
            "untold_people",
            "People not told whose deadline lies within the horizon",
            by_horizon,
        );
        metrics.register(&mut registry);
        Self {
            registry: Arc::new(registry),
            ..metrics
        }
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        self.register_states(registry);
        self.register_work(registry);
    }

    /// How things stand.
    fn register_states(&self, registry: &mut Registry) {
        registry.register(
            "oldest_due_seconds",
            "How long the oldest message that may leave has been waiting",
            self.oldest_due.clone(),
        );
        registry.register(
            "held_batches",
            "Batches that wait for a person",
            self.held_batches.clone(),
        );
        registry.register(
            "held_release_by_seconds",
            "Time left to release a held batch before it is too late for its first people; below 0: too late",
            self.release_by.clone(),
        );
        registry.register(
            "call_list_people",
            "People whom somebody must phone",
            self.call_list_people.clone(),
        );
        registry.register(
            "operator_holds",
            "Holds that a person has set and not lifted",
            self.operator_holds.clone(),
        );
        registry.register(
            "snapshot_age_seconds",
            "Age of the last complete snapshot",
            self.snapshot_age.clone(),
        );
        registry.register(
            "gateway_paused",
            "1 while a gateway is left alone because it refused us",
            self.paused.clone(),
        );
        registry.register(
            "alarms",
            "What somebody must be told of, by kind, as this node sees it",
            self.alarms.clone(),
        );
        registry.register(
            "sending_stopped",
            "1 while nothing is sent: the store is locked, or cannot be written",
            self.stopped.clone(),
        );
    }

    /// What was done.
    fn register_work(&self, registry: &mut Registry) {
        registry.register(
            "messages",
            "Hand-overs by what they came to",
            self.messages.clone(),
        );
        registry.register(
            "reports",
            "What gateways and relays said later, by what became of it",
            self.reports.clone(),
        );
        registry.register(
            "reports_let_go",
            "Reports whose attempt never came to light",
            self.reports_let_go.clone(),
        );
        registry.register(
            "set_aside",
            "Times that a message was left as it is, because a row of it cannot be understood",
            self.set_aside.clone(),
        );
        registry.register(
            "unknowns_resolved",
            "Unknowns by how they were resolved",
            self.unknowns.clone(),
        );
        registry.register(
            "faults",
            "Values and reads of a source that failed",
            self.faults.clone(),
        );
    }

    /// People not told whose deadline lies within 24 hours.
    pub fn untold_people(&self, people: u32) {
        self.untold.set(people.into());
    }

    /// How long the oldest message that may leave has been waiting, in seconds.
    pub fn oldest_due(&self, seconds: f64) {
        self.oldest_due.set(seconds);
    }

    /// Batches that wait for a person.
    pub fn held_batches(&self, batches: u32) {
        self.held_batches.set(batches.into());
    }

    /// How long, in seconds, the first batch of each source can still be released in time for its
    /// first people; sources without a held batch show nothing.
    pub fn release_by(&self, sources: impl IntoIterator<Item = (SourceName, f64)>) {
        self.release_by.clear();
        for (source, seconds) in sources {
            self.release_by.get_or_create(&of(&source)).set(seconds);
        }
    }

    /// People whom somebody must phone.
    pub fn call_list_people(&self, people: u32) {
        self.call_list_people.set(people.into());
    }

    /// Holds that a person has set and not lifted.
    pub fn operator_holds(&self, holds: u32) {
        self.operator_holds.set(holds.into());
    }

    /// The age of a source's last complete snapshot, in seconds.
    pub fn snapshot_age(&self, source: &SourceName, seconds: f64) {
        self.snapshot_age.get_or_create(&of(source)).set(seconds);
    }

    /// A hand-over came to this: the word of an [`Outcome`](crate::domain::outcome::Outcome).
    pub fn outcome(&self, channel: Channel, outcome: &'static str) {
        let labels = OfMessage {
            channel: channel.word(),
            outcome,
        };
        self.messages.get_or_create(&labels).inc();
    }

    /// A report, or what came in its place, came to this.
    pub fn report(&self, channel: Channel, result: &'static str) {
        let labels = OfReport {
            channel: channel.word(),
            result,
        };
        self.reports.get_or_create(&labels).inc();
    }

    /// Reports whose attempt never came to light were let go.
    pub fn reports_let_go(&self, count: u64) {
        self.reports_let_go.inc_by(count);
    }

    /// Messages were left as they are, because a row of them cannot be understood.
    pub fn set_aside(&self, count: u64) {
        self.set_aside.inc_by(count);
    }

    /// Unknowns were resolved so: the gateway was asked (`known`, `not_known`), or they are handed
    /// over again where the gateway takes them only once (`repeated`), or at the risk of a second
    /// one (`retried`), or not (`held`).
    pub fn resolved(&self, how: &'static str, count: u64) {
        let labels = OfUnknown { resolved: how };
        self.unknowns.get_or_create(&labels).inc_by(count);
    }

    /// Whether a gateway is left alone because it refused us.
    pub fn gateway_paused(&self, gateway: &str, paused: bool) {
        let gateway = gateway.to_owned();
        let labels = OfGateway { gateway };
        self.paused.get_or_create(&labels).set(paused.into());
    }

    /// What somebody must be told of now.
    pub fn alarms(&self, concerns: &[Concern]) {
        for kind in AlarmKind::ALL {
            let count = concerns.iter().filter(|c| c.kind == *kind).count();
            let labels = OfAlarm { kind: kind.word() };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.alarms.get_or_create(&labels).set(count);
        }
    }

    /// Whether nothing is sent because the store is `locked`, or because what comes of it cannot be
    /// written (`store`).
    pub fn sending_stopped(&self, why: &'static str, stopped: bool) {
        self.stopped
            .get_or_create(&OfStop { why })
            .set(stopped.into());
    }

    /// A read of a source, or a value in it, failed.
    pub fn fault(&self, source: &SourceName) {
        self.faults.get_or_create(&of(source)).inc();
    }

    /// Everything, in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

fn of(source: &SourceName) -> OfSource {
    OfSource {
        source: source.0.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_appears_under_its_name() {
        let metrics = Metrics::default();
        let source = SourceName("oslo".to_owned());
        metrics.untold_people(3);
        metrics.oldest_due(1.5);
        metrics.held_batches(1);
        metrics.release_by([(source.clone(), -60.0)]);
        metrics.call_list_people(7);
        metrics.operator_holds(2);
        metrics.snapshot_age(&source, 12.0);
        metrics.fault(&source);
        metrics.outcome(Channel::Sms, "accepted");
        metrics.report(Channel::Email, "forged");
        metrics.reports_let_go(2);
        metrics.set_aside(4);
        metrics.resolved("known", 1);
        metrics.gateway_paused("sms", true);
        metrics.alarms(&[]);
        metrics.sending_stopped("locked", true);
        let text = metrics.text();
        for line in [
            "varsel_untold_people{horizon=\"24h\"} 3",
            "varsel_oldest_due_seconds 1.5",
            "varsel_held_batches 1",
            "varsel_held_release_by_seconds{source=\"oslo\"} -60.0",
            "varsel_call_list_people 7",
            "varsel_operator_holds 2",
            "varsel_snapshot_age_seconds{source=\"oslo\"} 12.0",
            "varsel_faults_total{source=\"oslo\"} 1",
            "varsel_messages_total{channel=\"sms\",outcome=\"accepted\"} 1",
            "varsel_reports_total{channel=\"email\",result=\"forged\"} 1",
            "varsel_reports_let_go_total 2",
            "varsel_set_aside_total 4",
            "varsel_unknowns_resolved_total{resolved=\"known\"} 1",
            "varsel_gateway_paused{gateway=\"sms\"} 1",
            "varsel_alarms{kind=\"call_list\"} 0",
            "varsel_sending_stopped{why=\"locked\"} 1",
            "varsel_build_info{version=\"0.1.0\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }
}
