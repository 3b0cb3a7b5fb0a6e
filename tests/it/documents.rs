//! The documents keep to the truth: their examples load, their links lead somewhere, what they name exists.

use std::fs;
use std::path::Path;

use varsel::domain::appointment::SourceName;
use varsel::domain::message::Channel;
use varsel::telemetry::Metrics;

use crate::support::house::{House, code, stdout};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/CONNECT.md",
    "docs/OPERATIONS.md",
    "docs/SOURCES.md",
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

/// A whole configuration of a document passes `check` where everything that it names is there.
#[tokio::test]
async fn every_whole_configuration_of_a_document_passes_check() {
    let mut whole = 0;
    for name in DOCUMENTS {
        let text = read(name);
        for example in between(&text, "```toml\n", "```").filter(|text| text.contains("[[source]]"))
        {
            whole += 1;
            let house = House::build().await;
            house.register("srv.db").await;
            house.write("offices.toml", include_str!("../../config/offices.toml"));
            for secret in ["sms_user", "sms_password"] {
                house.write(secret, "hemmelig");
            }
            let here = example
                .replace("/srv/booking/register.db", "srv.db")
                .replace("/var/lib/varsel/varsel.db", "varsel.db");
            house.write(
                "varsel.toml",
                &format!("{here}\n[http]\nlisten = \"127.0.0.1:0\"\n"),
            );
            let output = house.run(&["check"]);
            assert_eq!(code(&output), 0, "{name}:\n{}", stdout(&output));
        }
    }
    assert!(whole > 0, "no document shows a whole configuration");
}

#[test]
fn every_link_leads_to_a_file() {
    for name in DOCUMENTS {
        let text = read(name);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        for target in between(&text, "](", ")").filter(|target| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => folder.clone(),
                file => folder.parent().unwrap().join(file),
            };
            assert!(
                file.exists(),
                "{name} links to {target}, which is not there"
            );
            let known = heading.is_empty() || headings(&file).contains(&heading.to_owned());
            assert!(
                known,
                "{name} links to {target}, and no heading is called so"
            );
        }
    }
}

/// The names under which the headings of a document can be linked to.
fn headings(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let names = titles.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    names.map(|name| name.replace(' ', "-")).collect()
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
    metrics.release_by([(source.clone(), 1.0)]);
    metrics.outcome(Channel::Sms, "accepted");
    metrics.report(Channel::Email, "applied");
    metrics.resolved("known", 1);
    metrics.gateway_paused("sms", true);
    metrics.alarms(&[]);
    metrics.sending_stopped("locked", true);
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
