//! The documents keep to the truth: their examples load, their links lead somewhere, what they name exists.

use std::fs;
use std::path::Path;

use varsel::config::{Config, Layer};
use varsel::domain::appointment::SourceName;
use varsel::domain::message::Channel;
use varsel::telemetry::Metrics;

const DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/OPERATIONS.md",
    "docs/STATES.md",
];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What stands between `open` and `close`, each time.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .filter_map(move |rest| rest.split_once(close).map(|(inner, _)| inner))
}

#[test]
fn the_configuration_of_the_readme_is_good() {
    let readme = read("README.md");
    let examples: Vec<&str> = between(&readme, "```toml\n", "```").collect();
    assert!(!examples.is_empty(), "the README shows no configuration");
    for text in examples {
        let layer = Layer {
            name: "README.md".to_owned(),
            text: text.to_owned(),
        };
        let config = Config::parse(Some(layer), Path::new("/etc/varsel")).unwrap();
        assert!(!config.file.source.is_empty() && !config.file.gateway.is_empty());
    }
}

#[test]
fn every_link_leads_to_a_file() {
    for name in DOCUMENTS {
        let text = read(name);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        for target in between(&text, "](", ")").filter(|target| !target.contains("://")) {
            let file = folder.parent().unwrap().join(target);
            assert!(
                file.exists(),
                "{name} links to {target}, which is not there"
            );
        }
    }
}

#[test]
fn every_path_in_backticks_exists() {
    for name in DOCUMENTS {
        let text = read(name);
        for path in between(&text, "`", "`") {
            let ours = [
                "src/",
                "tests/",
                "docs/",
                "config/",
                "deploy/",
                "templates/",
                ".ci/",
            ];
            if ours.iter().any(|folder| path.starts_with(folder)) && !path.contains(' ') {
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
                assert!(file.exists(), "{name} names {path}, which is not there");
            }
        }
    }
}

#[test]
fn every_metric_that_operators_shall_watch_exists() {
    let operations = read("docs/OPERATIONS.md");
    let metrics = Metrics::default();
    let source = SourceName("oslo".to_owned());
    metrics.snapshot_age(&source, 1.0);
    metrics.fault(&source);
    metrics.outcome(Channel::Sms, "accepted");
    let shown = metrics.text();
    let named: Vec<&str> = between(&operations, "`varsel_", "`").collect();
    assert!(
        named.len() > 4,
        "OPERATIONS.md names too few metrics: {named:?}"
    );
    for metric in named {
        assert!(
            shown.contains(&format!("\nvarsel_{metric}")),
            "no metric varsel_{metric}"
        );
    }
}
