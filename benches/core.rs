//! What single steps take by themselves: reading a snapshot's difference, planning, writing the texts, counting the parts of
//! an SMS, and claiming and settling in each store. `cargo bench` prints them.
//!
//! Whoever wants to know how Varsel stands beside others runs `benches/run`; nothing here compares.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::Runtime;
use varsel::config::{Config, directory};
use varsel::domain::appointment::{Appointment, BookingKey, Standing};
use varsel::domain::change::{Change, ChangeKind};
use varsel::domain::diff::diff;
use varsel::domain::directory::Directory;
use varsel::domain::marks::{Mark, Marks};
use varsel::domain::message::Channel;
use varsel::domain::plan::{Circumstances, plan};
use varsel::domain::reference::Reference;
use varsel::store::model::Model;
use varsel::store::{Access, ClaimAsk, Database, Store};
use varsel::template::{SmsText, Templates};

#[path = "../tests/it/store_contract/fixtures.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the contract's laws need more of it than is measured here"
)]
mod fixtures;

#[path = "../tests/it/support/link.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests need more of it than is measured here"
)]
mod link;
#[path = "../tests/it/support/postgres.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests need more of it than is measured here"
)]
mod postgres;
#[path = "../tests/it/support/servers.rs"]
#[expect(dead_code, reason = "the tests need more of it than is measured here")]
mod servers;

/// Rows of the snapshot whose difference is looked for.
const ROWS: u32 = 1_000_000;
/// How many of them have changed.
const CHANGED: u32 = 1_000;
/// Messages that one claim takes and one settlement ends.
const BATCH: u32 = 200;
/// How often that is measured in each store.
const SAMPLES: u32 = 20;

fn main() {
    divan::main();
}

// ── decided and written ─────────────────────────────────────────────────────────────────────────────────────────────

fn model_case() -> Directory {
    directory::parse(directory::MODEL_CASE, Path::new("offices.toml"))
        .expect("the model case is valid")
}

fn rows() -> Vec<Appointment> {
    let row = |n| {
        if n < CHANGED {
            fixtures::cancelled(n)
        } else {
            fixtures::active(n)
        }
    };
    (0..ROWS).map(row).collect()
}

fn marks() -> Marks {
    let mark = |n| {
        let row = fixtures::active(n);
        let mark = Mark {
            fingerprint: row.fingerprint(),
            absent: 0,
            cancelled: row.state.standing == Standing::Cancelled,
            start: row.state.start,
        };
        (row.key, mark)
    };
    (0..ROWS).map(mark).collect()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn diff_of_a_million_rows(bencher: Bencher<'_, '_>) {
    let known = marks();
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(rows)
        .bench_local_values(|rows| {
            let found = diff(&known, rows, &BTreeSet::<BookingKey>::new());
            assert_eq!(found.touched.len(), CHANGED as usize);
            found
        });
}

#[divan::bench]
fn plan_a_cancellation(bencher: Bencher<'_, '_>) {
    let (directory, rules) = (
        model_case(),
        Config::load(None).expect("the defaults are valid").rules(),
    );
    let around = Circumstances {
        now: fixtures::now(),
        directory: &directory,
        closings: &[],
        rules: &rules,
    };
    let appointment = fixtures::cancelled(1);
    let change = Change {
        kind: ChangeKind::Cancelled,
        old: fixtures::active(1).state,
        new: appointment.state.clone(),
    };
    let recipient = &appointment.recipients[0];
    bencher.bench(|| {
        plan(black_box(&appointment), recipient, &change, &[], &around).expect("a rule fits")
    });
}

/// The texts, their directory, and one case that the built-in samples know.
fn case(name: &str) -> (Templates, Directory, varsel::domain::plan::Telling) {
    let (templates, directory) = (
        Templates::load(None).expect("the built-in texts are valid"),
        model_case(),
    );
    let mut samples = varsel::template::samples::samples(&directory, fixtures::now()).into_iter();
    let sample = samples
        .find(|sample| sample.name == name)
        .expect("there is such a sample");
    (templates, directory, sample.telling)
}

fn sms() -> SmsText {
    let (templates, directory, telling) = case("passport-cancelled");
    let sms = templates.sms(&telling, &directory, Reference::draw(7));
    sms.expect("the text can be written")
}

#[divan::bench]
fn render_an_sms(bencher: Bencher<'_, '_>) {
    let (templates, directory, telling) = case("passport-cancelled");
    bencher.bench(|| templates.sms(black_box(&telling), &directory, Reference::draw(7)));
}

#[divan::bench]
fn render_an_email(bencher: Bencher<'_, '_>) {
    let (templates, directory, telling) = case("residence-cancelled");
    bencher.bench(|| templates.email(black_box(&telling), &directory, Reference::draw(7)));
}

#[divan::bench]
fn count_the_parts_of_an_sms(bencher: Bencher<'_, '_>) {
    let text = sms().text;
    bencher.bench(|| varsel::domain::segments::segments(black_box(&text)));
}

// ── claimed and settled ─────────────────────────────────────────────────────────────────────────────────────────────

/// A store in which so many cancellations are ready as all samples take.
async fn filled<S: Store>(store: &S) {
    let all = BATCH * (SAMPLES + 1);
    fixtures::baseline(store, all).await;
    let keys: Vec<_> = (1..=all).map(fixtures::key).collect();
    let known = store
        .known(&fixtures::source(), &keys)
        .await
        .expect("the bookings are known");
    let known: BTreeMap<_, _> = known
        .iter()
        .map(|known| (&known.appointment.key, known))
        .collect();
    let entries = (1..=all).map(|n| {
        let notices = vec![fixtures::notice(n)];
        fixtures::change(known[&fixtures::key(n)], fixtures::cancelled(n), notices)
    });
    let recorded = store
        .record(fixtures::record(entries.collect()))
        .await
        .expect("they are recorded");
    assert_eq!(recorded.notices, all);
}

async fn claim_and_settle<S: Store>(store: &S, nonce: u32) {
    let ask = ClaimAsk {
        limit: BATCH,
        nonce,
        ..fixtures::ask(Channel::Sms)
    };
    let claims = store.claim(&ask).await.expect("the store answers");
    assert_eq!(claims.len(), BATCH as usize);
    let settlements: Vec<_> = claims
        .iter()
        .map(|claim| fixtures::settle(claim, fixtures::accepted()))
        .collect();
    store.settle(&settlements).await.expect("the store answers");
}

fn measure<S: Store>(bencher: Bencher<'_, '_>, runtime: &Runtime, store: &S) {
    runtime.block_on(filled(store));
    let mut nonce = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        nonce += 1;
        runtime.block_on(claim_and_settle(store, nonce));
    });
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime can be started")
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn claim_and_settle_in_the_model(bencher: Bencher<'_, '_>) {
    measure(bencher, &runtime(), &Model::default());
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn claim_and_settle_in_sqlite(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let (runtime, path) = (runtime(), folder.path().join("varsel.db"));
    let store = runtime.block_on(Database::sqlite(&path, Access::Daemon));
    measure(bencher, &runtime, &store.expect("the file can be made"));
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn claim_and_settle_in_postgresql(bencher: Bencher<'_, '_>) {
    let root =
        std::env::var("VARSEL_SERVERS_ROOT").unwrap_or_else(|_| "target/servers/root".to_owned());
    if !Path::new(&root).exists() {
        eprintln!("PostgreSQL is left out: run tests/servers/fetch first");
        return;
    }
    let (runtime, server) = (runtime(), Arc::new(postgres::Postgres::start()));
    let store = runtime.block_on(async { server.database().await.open(Access::Daemon).await });
    measure(bencher, &runtime, &store);
}
