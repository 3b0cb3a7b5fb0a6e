//! What every simulated world has in common: the model case's offices, the shipped texts and rules,
//! and limits small enough to be met.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use varsel::clock::Clock;
use varsel::config::{Config, directory};
use varsel::domain::appointment::SourceName;
use varsel::domain::brake::BrakeLimits;
use varsel::domain::directory::Directory;
use varsel::domain::message::ToldOn;
use varsel::domain::plan::Rules;
use varsel::domain::retry::RetryPolicy;
use varsel::service::chance::Chance;
use varsel::service::pauses::Pauses;
use varsel::service::schedule::Schedule;
use varsel::service::upkeep::Retention;
use varsel::service::{Pulse, Shared, ToldOnByChannel, Trust, Wakes};
use varsel::store::SweepLimits;
use varsel::telemetry::Metrics;
use varsel::template::Templates;

/// More changes of one poll than this are held.
pub(super) const MAX_CHANGES: u32 = 3;
/// How long a claim is held.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// The longest one hand-over may take.
pub(super) const LONGEST_SEND: Duration = Duration::from_secs(20);
/// How long after a lease's end an unknown is left alone.
pub(super) const QUARANTINE: Duration = Duration::from_secs(50);
/// Hand-overs at the same time, and claims beyond those, of one gateway at one node.
pub(super) const CONNECTIONS: u32 = 1;
pub(super) const CLAIM_AHEAD: u32 = 2;

/// When every world begins: 16 March 2021, 14:00 in Oslo.
pub(super) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_615_899_600, 0).unwrap()
}

pub(super) fn source_name() -> SourceName {
    SourceName("register".to_owned())
}

struct House {
    directory: Arc<Directory>,
    templates: Arc<Templates>,
    rules: Rules,
    schedule: Schedule,
}

fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let offices = include_str!("../../../config/offices.toml");
        House {
            directory: Arc::new(directory::parse(offices, Path::new("offices.toml")).unwrap()),
            templates: Arc::new(Templates::load(None).unwrap()),
            rules: Config::load(None).unwrap().rules(),
            schedule: Schedule::new("30 3 * * *", chrono_tz::Europe::Oslo).unwrap(),
        }
    })
}

/// Nothing is erased within a simulation, since the laws look at everything.
pub(super) fn retention() -> Retention {
    Retention {
        schedule: house().schedule.clone(),
        keep: TimeDelta::days(3650),
    }
}

/// What the lines of one node share.
pub(super) fn shared(node: &str, seed: u64, secret: [u8; 32]) -> Arc<Shared> {
    let house = house();
    Arc::new(Shared {
        node: node.to_owned(),
        clock: Clock::system(),
        chance: Chance::seeded(seed),
        sources: vec![source_name()],
        directory: Arc::clone(&house.directory),
        templates: Arc::clone(&house.templates),
        rules: house.rules.clone(),
        brake: BrakeLimits {
            max_changes: MAX_CHANGES,
            max_share: 1.0,
            min_changes: 100,
            max_changes_per_hour: u32::MAX,
            max_share_per_hour: 1.0,
            max_shrink: 1.0,
        },
        retry: RetryPolicy {
            base: Duration::from_secs(5),
            cap: Duration::from_secs(300),
        },
        sweep: SweepLimits {
            batch: 100,
            parked: Duration::from_secs(7 * 24 * 3600),
            canary_wait: Duration::from_secs(600),
            rung_time: house.rules.rung_time,
            quiet_reserve: house.rules.quiet_reserve,
            tried_since: None,
        },
        told_on: ToldOnByChannel {
            sms: ToldOn::Delivered,
            email: ToldOn::Accepted,
        },
        mail_secret: [1; 32],
        report_secret: secret,
        metrics: Metrics::default(),
        wakes: Wakes::default(),
        pauses: Pauses::default(),
        sending: Arc::default(),
        pulse: Pulse::default(),
        trust: Trust::default(),
        look_again: Duration::from_secs(5),
    })
}
