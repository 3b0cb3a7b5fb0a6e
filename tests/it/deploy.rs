//! What is deployed: the systemd unit and the container file. Judged by systemd's own tool where the servers' root is
//! there, and by reading where it is not.

use crate::support::servers::{in_root, output};
use std::fs;
use std::path::{Path, PathBuf};
use varsel::config::Config;

/// The highest exposure that `systemd-analyze security` may find, times ten.
const MAX_EXPOSURE_TENTHS: u32 = 20;

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deployed(name)).unwrap()
}

/// The values of a key of the unit, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

/// Judges a unit by systemd-analyze. The answer: is it within the limit, and what was said.
fn exposure(unit: &Path) -> (bool, String) {
    let answer = output(
        in_root("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={MAX_EXPOSURE_TENTHS}"))
            .arg(unit),
    );
    (
        answer.status.success(),
        String::from_utf8_lossy(&answer.stdout).into_owned(),
    )
}

#[test]
#[ignore = "needs tests/servers/fetch"]
fn the_unit_exposes_little() {
    let (fine, said) = exposure(&deployed("varsel.service"));
    assert!(said.contains("Overall exposure level"), "{said}");
    assert!(fine, "{said}");
}

#[test]
#[ignore = "needs tests/servers/fetch"]
fn a_unit_without_its_walls_would_be_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("varsel.service");
    fs::write(&bare, "[Service]\nExecStart=/usr/bin/varsel run\n").unwrap();
    let (fine, said) = exposure(&bare);
    assert!(!fine, "{said}");
}

#[test]
#[ignore = "needs tests/servers/fetch"]
fn the_unit_has_no_word_that_systemd_does_not_know() {
    // The root has no varsel; any program will do in its place.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("varsel.service");
    fs::write(
        &copy,
        read("varsel.service").replace("/usr/bin/varsel", "/bin/true"),
    )
    .unwrap();
    let answer = output(in_root("systemd-analyze").arg("verify").arg(&copy));
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{said}");
    assert!(!said.contains("varsel.service"), "{said}");
}

#[test]
fn the_unit_keeps_its_promises() {
    let unit = read("varsel.service");
    for (key, expected) in [
        ("Type", "notify"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "varsel"),
        ("StateDirectoryMode", "0700"),
        ("Restart", "always"),
        ("RestartPreventExitStatus", "2 78"),
        ("LimitCORE", "0"),
    ] {
        assert_eq!(values(&unit, key), [expected], "{key}");
    }
    assert!(!values(&unit, "LoadCredential").is_empty());
    assert!(
        values(&unit, "Environment").is_empty(),
        "secrets and settings stand in files"
    );
}

#[test]
fn the_watchdog_waits_for_a_drain_and_not_for_the_quarantine() {
    let config = Config::parse(None, Path::new("")).unwrap().file;
    let unit = read("varsel.service");
    let seconds = |key| -> u64 {
        let value = values(&unit, key)[0];
        value.strip_suffix('s').unwrap().parse().unwrap()
    };
    let drain_seconds = config.drain.limit.0.as_secs();
    assert!(drain_seconds < seconds("WatchdogSec"));
    assert!(drain_seconds < seconds("TimeoutStopSec"));
    // The quarantine is the lease and the longest send more than this margin; a minute at the very least.
    let least_quarantine_seconds = 60 + config.upkeep.quarantine_margin.0.as_secs();
    assert!(seconds("WatchdogSec") < least_quarantine_seconds);
}

#[test]
fn every_secret_of_the_unit_is_one_that_the_configuration_names() {
    let config =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/varsel.toml"))
            .unwrap();
    for credential in values(&read("varsel.service"), "LoadCredential") {
        let (name, path) = credential.split_once(':').unwrap();
        assert!(path.ends_with(name), "{credential}");
        assert!(
            config.contains(&format!(" = \"{name}\"")),
            "{name} is in no configuration"
        );
    }
}

#[test]
fn the_container_shows_the_port_that_run_listens_on() {
    let port = Config::parse(None, Path::new(""))
        .unwrap()
        .http()
        .listen
        .port();
    let file = read("Containerfile");
    assert!(file.contains(&format!("\nEXPOSE {port}\n")), "{port}");
    assert!(
        file.contains(&format!("-p 127.0.0.1:{port}:{port} ")),
        "{port}"
    );
}

#[test]
fn the_container_runs_as_nobody_and_builds_with_our_rust() {
    let file = read("Containerfile");
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let rust = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap();
    assert!(
        file.contains(&format!("FROM rust:{}-", rust.trim_matches('"'))),
        "another Rust"
    );
    let stages: Vec<&str> = file.split("\nFROM ").collect();
    assert_eq!(
        stages.len(),
        2 + 1,
        "a builder, a runner, and what stands before them"
    );
    let runner = stages[2];
    assert!(
        runner.contains("\nUSER 65532"),
        "the runner must not be root"
    );
    assert!(
        runner.contains("\nVOLUME [\"/var/lib/varsel\"]"),
        "the store needs a place that stays"
    );
    assert!(
        !runner.contains("cargo"),
        "the runner carries no build tools"
    );
}
