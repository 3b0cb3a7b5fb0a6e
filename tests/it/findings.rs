//! What `check` finds, as a person reads it: the key, the words, the remedy; and that `run` refuses the
//! same.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::house::{HOUSE, House, code, run, stderr, stdout};

/// The agency's own directory: a copy of the one that ships.
const OWN_DIRECTORY: &str = "[agency]\ndirectory = \"offices.toml\"\n";

/// A house with a directory of its own.
async fn settled() -> House {
    let house = House::build().await;
    house.write("offices.toml", include_str!("../../config/offices.toml"));
    house
}

/// How `check` ends on this file, and what it says for programs. It is let off looking through every
/// text there can be, which takes longer than all the rest.
fn check(house: &House, text: &str) -> (i32, Value) {
    house.write("varsel.toml", text);
    told(
        house
            .with(&["check", "--json"])
            .env("VARSEL_TRUST_TEXTS", "1"),
    )
}

/// The same, with a look through every text.
fn check_texts_too(house: &House, text: &str) -> (i32, Value) {
    house.write("varsel.toml", text);
    told(&mut house.with(&["check", "--json"]))
}

fn told(check: &mut Command) -> (i32, Value) {
    let output = check.output().unwrap();
    let json = serde_json::from_str(&stdout(&output)).unwrap();
    (code(&output), json)
}

/// The one finding at this key.
fn at<'a>(findings: &'a Value, key: &str) -> &'a Value {
    let mut found = findings.as_array().unwrap().iter();
    let found: Vec<&Value> = found.by_ref().filter(|f| f["key"] == key).collect();
    assert_eq!(found.len(), 1, "{key} in {findings:#}");
    found[0]
}

fn has(finding: &Value, field: &str, expected: &str) {
    let said = finding[field].as_str().unwrap_or_default();
    assert!(said.contains(expected), "{expected:?} is not in {finding}");
}

/// Both gateways of the house let everything out.
fn live() -> String {
    HOUSE.replace("channel = ", "mode = \"live\"\nchannel = ")
}

#[tokio::test]
async fn nobody_is_told_the_numbers_of_an_invented_directory() {
    let house = settled().await;
    let (ends, json) = check(&house, &live());
    assert_eq!(ends, 78, "{json}");
    for name in ["sms", "mail"] {
        let error = at(&json["errors"], &format!("gateway.{name}.mode"));
        has(
            error,
            "message",
            "telephone numbers of an invented directory",
        );
        has(error, "help", "[agency] directory = \"offices.toml\"");
        assert!(error["line"].is_u64(), "{error}");
    }
    let refused = house.run(&["run"]);
    assert_eq!(code(&refused), 78, "{}", stderr(&refused));

    let (ends, json) = check(&house, HOUSE);
    assert_eq!(ends, 0, "{json}");
    has(
        at(&json["warnings"], "agency.directory"),
        "message",
        "invented",
    );

    let (ends, json) = check(&house, &format!("{OWN_DIRECTORY}{}", live()));
    assert_eq!(ends, 0, "{json}");
}

#[tokio::test]
async fn what_ships_gives_no_warnings_and_the_agencys_own_at_most_one_a_text() {
    let house = settled().await;
    let in_texts = |json: &Value| -> Vec<String> {
        let warnings = json["warnings"].as_array().unwrap().iter();
        let files = warnings.filter_map(|warning| warning["file"].as_str());
        let texts = files.filter(|file| file.contains("templates/"));
        texts.map(str::to_owned).collect()
    };
    let (_, json) = check_texts_too(&house, HOUSE);
    assert_eq!(in_texts(&json), Vec::<String>::new(), "{json:#}");
    // Nor does a copy of it, but for the sentence that only the agency can say.
    let (_, json) = check_texts_too(&house, &format!("{OWN_DIRECTORY}{HOUSE}"));
    assert_eq!(
        in_texts(&json),
        ["templates/blocks/stay.nb.txt"],
        "{json:#}"
    );
    let copied = include_str!("../../config/offices.toml");
    let careful = copied.replace("sms_parts = 2", "sms_parts = 1");
    house.write("offices.toml", &careful);
    let (_, json) = check_texts_too(&house, &format!("{OWN_DIRECTORY}{HOUSE}"));
    let told = in_texts(&json);
    assert!(told.len() > 1, "this directory has long names: {json:#}");
    let mut files = told.clone();
    files.dedup();
    assert_eq!(files, told, "each text is told once: {json:#}");
    let all = json.to_string();
    assert!(all.contains("accept the price: sms_parts = 2"), "{all}");
}

#[tokio::test]
async fn a_region_that_nobody_phones_in_is_refused() {
    let house = settled().await;
    for wrong in ["NOR", "no", "XX", ""] {
        let text = HOUSE.replace("region = \"NO\"", &format!("region = \"{wrong}\""));
        let (ends, json) = check(&house, &text);
        assert_eq!(ends, 78, "{wrong}: {json}");
        has(
            at(&json["errors"], "source.0.region"),
            "help",
            "such as \"NO\"",
        );
    }
    let offices = include_str!("../../config/offices.toml");
    house.write(
        "offices.toml",
        &offices.replace("region = \"NO\"", "region = \"XX\""),
    );
    let (ends, json) = check(&house, &format!("{OWN_DIRECTORY}{HOUSE}"));
    assert_eq!(ends, 78, "{json}");
    assert!(json.to_string().contains("a region is two capital letters"));
}

#[tokio::test]
async fn numbers_and_texts_do_not_cross_public_networks_in_the_open() {
    let house = settled().await;
    let to = |url: &str| HOUSE.replace("http://127.0.0.1:9/", url);
    let (ends, json) = check(&house, &to("http://203.0.113.7/send"));
    assert_eq!(ends, 78, "{json}");
    let error = at(&json["errors"], "gateway.sms.url");
    has(
        error,
        "message",
        "\"203.0.113.7\" can read numbers and texts",
    );
    has(error, "help", "https://");
    let (ends, json) = check(&house, &to("http://sms.agency.example/send"));
    assert_eq!(ends, 0, "{json}");
    has(at(&json["warnings"], "gateway.sms.url"), "help", "https://");
    for near in [
        "https://sms.agency.example/send",
        "http://10.0.0.7:13013/send",
    ] {
        let (ends, json) = check(&house, &to(near));
        assert_eq!(ends, 0, "{json}");
        let warned = json.to_string().contains("gateway.sms.url");
        assert!(!warned, "{near}: {json}");
    }
}

#[tokio::test]
async fn a_file_or_folder_that_is_not_there_is_told_at_the_line_that_names_it() {
    let house = settled().await;
    for (key, says) in [
        ("templates", "there is no folder"),
        ("directory", "nowhere\" cannot be read"),
    ] {
        let (ends, json) = check(&house, &format!("[agency]\n{key} = \"nowhere\"\n{HOUSE}"));
        assert_eq!(ends, 78, "{json}");
        let error = at(&json["errors"], &format!("agency.{key}"));
        has(error, "message", says);
        has(error, "help", "relative to th");
        assert_eq!(error["line"], 2, "{error}");
    }
    let latin = house.path("offices.toml");
    std::fs::write(&latin, b"# Gr\xf8nland").unwrap();
    let (ends, json) = check(&house, &format!("{OWN_DIRECTORY}{HOUSE}"));
    assert_eq!(ends, 78, "{json}");
    has(
        at(&json["errors"], "agency.directory"),
        "help",
        "save it as UTF-8",
    );
}

#[test]
fn the_file_after_c_is_told_with_a_help_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &Path| {
        let output = run(&["-c", name.to_str().unwrap(), "status"]);
        assert_eq!(code(&output), 78);
        stderr(&output).replace("\n        ", " ")
    };
    let missing = told(&folder.path().join("varsel.toml"));
    assert!(missing.contains("check the path after -c"), "{missing}");
    assert!(missing.contains("varsel config init"), "{missing}");
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"# Gr\xf8nland").unwrap();
    let latin = told(&latin);
    assert!(latin.contains("it is not UTF-8"), "{latin}");
    assert!(latin.contains("help: save it as UTF-8"), "{latin}");
}

#[tokio::test]
async fn a_number_that_is_none_is_told_in_our_own_words() {
    let house = settled().await;
    let reason = ["--reason", "x"];
    for (words, says) in [
        (&["hold", "show", "abc"][..], "`hold list` shows"),
        (
            &["hold", "discard", "abc", "--seen", "1:1"],
            "`hold list` shows",
        ),
        (&["closing", "end", "x1"], "`closing list` shows"),
    ] {
        let more: &[&str] = if words[1] == "show" { &[] } else { &reason };
        let output = house.run(&[words, more].concat());
        assert_eq!(code(&output), 2, "{words:?}");
        let said = stderr(&output);
        assert!(said.contains(says) && !said.contains("digit"), "{said}");
    }
}
