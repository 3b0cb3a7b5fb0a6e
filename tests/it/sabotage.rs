//! Each guard of the promise, switched off, is caught by a named test; and nobody who installs
//! Varsel gets a program in which a guard can be switched off.

use std::fs;
use std::path::Path;
use std::process::Command;

use varsel::sabotage::Guard;

/// The test that catches a guard that is off, and what it then says.
fn caught_by(guard: Guard) -> (&'static str, &'static str) {
    const SIMULATOR: &str = "simulator::random_lives_keep_every_law";
    const SMALL_WORLD: &str =
        "simulator::small_world::every_life_of_the_small_world_keeps_every_law";
    match guard {
        Guard::Fence => (
            "store_contract::sending::on_the_model::an_old_fence_moves_nothing",
            "panicked",
        ),
        Guard::LeaseEnd | Guard::Unknown => (SIMULATOR, "broke a law"),
        Guard::OwnLease => (SIMULATOR, "left after its lease"),
        Guard::OneRequest => (
            "sms::faults::a_connection_broken_at_any_byte_of_the_request_is_unknown_and_not_repeated",
            "panicked",
        ),
        Guard::CommitError => (SIMULATOR, "honest words"),
        Guard::Brake => (SIMULATOR, "recorded unbraked"),
        // A random life needs two decisions at once, which the lease of intake makes rare.
        Guard::Belief => (SMALL_WORLD, "after ["),
        Guard::Durability => (
            "store_contract::power_cut::what_was_acknowledged_outlives_a_power_cut",
            "panicked",
        ),
        // Any test that opens a store: none can be opened without the setting.
        Guard::Synced => (
            "store_contract::sqlite::a_second_daemon_is_refused",
            "PRAGMA synchronous is 0 and must be 2",
        ),
    }
}

/// Guards whose absence the small world finds besides.
const FOUND_IN_THE_SMALL_WORLD_TOO: [Guard; 2] = [Guard::LeaseEnd, Guard::OwnLease];

/// So many lives are lived until one breaks a law: an outcome that cannot be written, of a message that would then
/// leave once more, is rare among them.
const SEEDS: &str = "3000";

/// Runs one test of this binary in a process of its own with `guard` off.
fn run_without(guard: Guard, test: &str) -> (bool, String) {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("VARSEL_SABOTAGE", guard.word())
        .env("VARSEL_SEEDS", SEEDS)
        .env_remove("VARSEL_SEED")
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn every_guard_that_is_off_is_caught_by_its_test() {
    for guard in Guard::ALL {
        let (test, expected) = caught_by(guard);
        let (passed, said) = run_without(guard, test);
        if said.contains("not run:") {
            println!("{}: {test} cannot run here", guard.word());
            continue;
        }
        assert!(said.contains("running 1 test"), "there is no test {test}");
        assert!(!passed, "nobody notices that {} is off", guard.word());
        assert!(said.contains(expected), "{}: {said}", guard.word());
        let why = said.lines().find(|line| line.contains(expected));
        println!(
            "{}: caught by {test}: {}",
            guard.word(),
            why.unwrap_or_default()
        );
    }
}

#[test]
fn the_small_world_finds_the_guards_that_it_can_need() {
    let test = "simulator::small_world::every_life_of_the_small_world_keeps_every_law";
    for guard in FOUND_IN_THE_SMALL_WORLD_TOO {
        let (passed, said) = run_without(guard, test);
        assert!(said.contains("running 1 test"), "there is no test {test}");
        assert!(!passed, "nobody notices that {} is off", guard.word());
        assert!(said.contains("after ["), "{}: {said}", guard.word());
    }
}

/// The simulator has gateways of its own; that the real channels look, and when, is shown on real sockets.
#[test]
fn each_channel_looks_at_the_lease_itself() {
    for (test, expected) in [
        (
            "sms::last_look::no_byte_leaves_when_the_lease_ended_while_the_connection_was_made",
            "POST /send",
        ),
        (
            "sms::last_look::nor_over_a_connection_that_rested",
            "POST /send",
        ),
        (
            "email::faults::no_dot_follows_when_the_lease_ended_on_the_way_to_it",
            "Accepted",
        ),
    ] {
        let (passed, said) = run_without(Guard::OwnLease, test);
        assert!(said.contains("running 1 test"), "there is no test {test}");
        assert!(!passed, "nobody notices that a channel does not look");
        assert!(said.contains(expected), "{said}");
    }
}

/// The other connection is one that rested between two messages.
#[test]
fn a_second_request_is_noticed_on_a_resting_connection_too() {
    let test =
        "sms::faults::a_resting_connection_that_breaks_in_a_request_is_unknown_and_not_repeated";
    let (passed, said) = run_without(Guard::OneRequest, test);
    assert!(said.contains("running 1 test"), "there is no test {test}");
    assert!(!passed, "nobody notices a second request");
    assert!(said.contains("accepted"), "{said}");
}

#[test]
fn no_release_has_the_feature() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    let manifest: toml::Value = toml::from_str(&manifest).unwrap();
    let features = manifest["features"].as_table().unwrap();
    assert!(features["sabotage"].as_array().unwrap().is_empty());
    for (name, parts) in features {
        let names = parts.as_array().unwrap().iter().filter_map(|p| p.as_str());
        assert!(
            names.clone().all(|part| part != "sabotage"),
            "{name} brings sabotage"
        );
    }
    // Whatever is built from deploy/ is built with the default features and nothing else.
    let mut builds = 0;
    for file in fs::read_dir(package.join("deploy")).unwrap() {
        let Ok(text) = fs::read_to_string(file.unwrap().path()) else {
            continue;
        };
        for word in ["sabotage", "features", "VARSEL_CRASH_AT", "VARSEL_TRUST"] {
            assert!(!text.contains(word), "deploy/ speaks of {word}");
        }
        builds += text.matches("cargo build --release").count();
    }
    assert!(builds > 0, "no build was found in deploy/");
    let dead = include_str!("../../src/sabotage.rs");
    let alive = "#[cfg(all(feature = \"sabotage\", debug_assertions))]";
    assert_eq!(dead.matches("env::var(").count(), 3);
    assert!(dead.find(alive).unwrap() < dead.find("env::var(").unwrap());
}
