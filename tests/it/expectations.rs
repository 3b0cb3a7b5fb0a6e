//! What the communications officer runs: expectations beside the templates, and previews as a file.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn varsel(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_varsel"));
    command.args(arguments).env_clear().env("COLUMNS", "100");
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    let all = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8(all).unwrap()
}

const BUILT_IN: &str = include_str!("../../templates/expectations/model-case.toml");

/// A folder with a configuration that has templates, and one file of expectations, of its own.
fn house(expectations: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().join("texts/expectations");
    std::fs::create_dir_all(&beside).unwrap();
    std::fs::write(beside.join("ours.toml"), expectations).unwrap();
    let config = folder.path().join("varsel.toml");
    std::fs::write(&config, "[agency]\ntemplates = \"texts\"\n").unwrap();
    let config = config.display().to_string();
    (folder, config)
}

#[test]
fn the_built_in_expectations_hold() {
    let output = varsel(&["test"]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(
        out(&output).ends_with("6 cases, 0 failed\n"),
        "{}",
        out(&output)
    );
    let one = varsel(&["test", "Citizenship", "--json"]);
    let cases: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(cases.as_array().unwrap().len(), 1);
    assert_eq!(cases[0]["misses"], Value::Array(Vec::new()));
}

#[test]
fn a_case_that_misses_says_where_the_texts_part() {
    let (folder, config) = house(&BUILT_IN.replacen("Bestill ny etter", "Bestill etter", 1));
    let output = varsel(&["-c", &config, "test", "cancelled in a closing"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = out(&output);
    assert!(
        shown.contains("the text differs from character 73 on (its line 1)"),
        "{shown}"
    );
    assert!(shown.contains("ours.toml:21"), "{shown}");
    assert!(shown.contains("1 case, 1 failed"), "{shown}");
    drop(folder);
}

#[test]
fn a_message_too_many_and_one_too_few_are_both_misses() {
    let (_folder, config) =
        house(&BUILT_IN.replacen("channel = \"sms\"", "channel = \"email\"", 1));
    let shown = out(&varsel(&["-c", &config, "test", "cancelled in a closing"]));
    assert!(
        shown.contains("expected cancellation by email, and there is cancellation by sms"),
        "{shown}"
    );
    assert!(
        shown.contains("nobody expected cancellation by sms"),
        "{shown}"
    );
}

#[test]
fn a_mistake_in_an_expectation_ends_with_78_at_its_place() {
    for (from, to, problem) in [
        (
            "happens = \"cancelled\"",
            "hapens = \"cancelled\"",
            "unknown field `hapens`",
        ),
        (
            "office = \"gronland\"",
            "office = \"gronlnd\"",
            "did you mean \"gronland\"?",
        ),
        (
            "now = 2021-03-16T14:00:00",
            "now = 2021-03-16",
            "a time is written 2021-03-24T09:20:00",
        ),
        (
            "kind = \"reduced\"",
            "kind = \"half\"",
            "is not a kind of closing",
        ),
    ] {
        let (_folder, config) = house(&BUILT_IN.replacen(from, to, 1));
        let output = varsel(&["-c", &config, "test"]);
        assert_eq!(output.status.code(), Some(78), "{to}: {}", out(&output));
        assert!(out(&output).contains(problem), "{to}: {}", out(&output));
        assert!(
            out(&output).contains("ours.toml:"),
            "{to}: {}",
            out(&output)
        );
    }
}

#[test]
fn nobody_finds_a_case_that_is_not_there() {
    let output = varsel(&["test", "no such case"]);
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
}

#[test]
fn previews_stand_in_one_file_that_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.html");
    let name = file.display().to_string();
    let at = "2021-03-16T14:00";
    let output = varsel(&["preview", "--at", at, "--language", "nn", "--html", &name]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    let html = std::fs::read_to_string(&file).unwrap();
    for part in [
        "<h2 id=\"child-cancelled-name-in-arabic\">",
        "<h2 id=\"embassy-moved-time-toddler\">",
        "Avlyst: timen for pass 24. mars kl. 09.20, Grønland passkontor.",
        "2 parts, GSM-7, ",
        "&lt;div lang=&quot;nn&quot;&gt;",
    ] {
        assert!(html.contains(part), "{part} is not in the file");
    }
    for loaded in [
        "<script", "<link", "<img", "http://", "https://", " src=", "url(",
    ] {
        assert!(!html.contains(loaded), "the file has {loaded}");
    }
    assert_eq!(
        html.matches("<iframe sandbox").count(),
        html.matches("<section>").count()
    );
    let nowhere = varsel(&["preview", "--html", "/nowhere/at/all.html"]);
    assert_eq!(nowhere.status.code(), Some(69), "{}", out(&nowhere));
    assert!(!Path::new("/nowhere/at/all.html").exists());
}
