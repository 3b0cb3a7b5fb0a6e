//! Profiles: those that come with us compile, mistakes are named with place and remedy, and reports
//! are read by their table.

use varsel::channel::sms::profile::BUILT_IN;
use varsel::channel::sms::{Profile, parse_report};
use varsel::domain::outcome::ReportState;

use super::{ACCEPT, JSON, small};

#[test]
fn reports_are_read_by_the_profiles_table() {
    let kannel = Profile::built_in("kannel").unwrap();
    let receipt = "id:7 sub:001 dlvrd:001 submit date:2103161400 done date:2103161400 stat:UNDELIV err:0a1 text:Avlyst ti";
    let cases = [
        ("1", "ACK/", ReportState::Delivered, ""),
        (
            "2",
            receipt,
            ReportState::Undelivered,
            "stat:UNDELIV err:0a1",
        ),
        ("4", "", ReportState::Progress, ""),
        ("8", "ACK/", ReportState::Progress, ""),
        (
            "16",
            "NACK/0x0000000b/Invalid Destination Address",
            ReportState::Undelivered,
            "NACK/0x0000000b/Invalid Destination Address",
        ),
        (
            "16",
            "NACK/no SMSC",
            ReportState::Undelivered,
            "NACK/no SMSC",
        ),
        (
            "32",
            "",
            ReportState::Progress,
            "a word that the profile does not know",
        ),
    ];
    for (state, detail, expected, kept) in cases {
        let pairs = [("t", detail), ("s", state)].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(
            parse_report(&kannel, &pairs),
            Some((expected, kept.to_owned())),
            "{state} {detail}"
        );
    }
    assert_eq!(
        parse_report(&kannel, &[("x".to_owned(), "1".to_owned())]),
        None
    );
    let silent = Profile::parse("small", &small(JSON, ACCEPT)).unwrap();
    assert_eq!(
        parse_report(&silent, &[("s".to_owned(), "1".to_owned())]),
        None
    );
    assert_eq!(silent.report_within(), None);
}

#[test]
fn every_profile_that_comes_with_us_compiles_and_names_its_secrets() {
    let names = |name| {
        Profile::built_in(name)
            .unwrap()
            .secret_names()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("kannel"), ["password", "user"]);
    assert_eq!(names("sandbox"), ["key"]);
    for (name, _) in BUILT_IN {
        assert_eq!(Profile::built_in(name).unwrap().name(), *name);
    }
    assert!(Profile::built_in("nobody").is_none());
}

#[test]
fn a_mistake_in_a_profile_is_named_with_its_place_and_remedy() {
    let good = small(
        JSON,
        &format!(
            "{ACCEPT}\n[report]\nstate = \"s\"\nwords = {{ a = \"delivered\" }}\n\
             [lookup]\npath = \"/m/{{key}}\"\n[[lookup.answer]]\nstatus = 404\noutcome = \"not_sent\"\n"
        ),
    );
    assert!(Profile::parse("small", &good).is_ok());
    let mut faults = String::new();
    for (from, to) in [
        ("max_parts = 2", "max_part = 2"),
        ("max_parts = 2", "max_parts = 0"),
        (
            "connect_timeout_seconds = 30",
            "connect_timeout_seconds = 60",
        ),
        ("\ntimeout_seconds = 60", "\ntimeout_seconds = 900"),
        ("http://127.0.0.1:1/", "ftp://127.0.0.1/"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/{to}"),
        ("\"POST\"", "\"post\""),
        ("\"POST\"", "\"GET\""),
        ("{text}", "{txt}"),
        ("{text}", "{text|mins}"),
        ("{text}", "{text"),
        ("{text}", "{{text}}"),
        ("{to|msisdn}", "4740000000"),
        ("{parts}", "{validity}"),
        ("{parts}", "{encoding|map:gsm7=0}"),
        ("{from}", "{secret.}"),
        ("body.json", "headers.Content-Length = \"1\"\nbody.json"),
        ("body.json", "headers.X-Text = \"{text}\"\nbody.json"),
        ("body.json", "headers.\"X Text\" = \"\"\nbody.json"),
        ("body.json", "body.text = \"{text}\"\nbody.json"),
        ("[1,", "[1979-05-27,"),
        ("\"200..299\"", "\"299..200\""),
        ("\"200..299\"", "99"),
        ("\"accepted\"", "\"fine\""),
        ("\"accepted\"", "\"unknown\""),
        ("\"accepted\"", "\"accepted\"\nbody = \"(\""),
        ("\"accepted\"", "\"accepted\"\ngateway_id = \"id\""),
        (
            "\"accepted\"",
            "\"accepted\"\n[[answer]]\nstatus = 202\noutcome = \"refused\"",
        ),
        ("\"delivered\"", "\"arrived\""),
        ("\"delivered\"", "\"progress\""),
        ("[lookup]", "[dedup]\nwindow_seconds = 9\n[lookup]"),
        ("\"/m/{key}\"", "\"/m\""),
        ("\"/m/{key}\"", "\"/m/{key}/{to}\""),
        ("\"/m/{key}\"", "\"//elsewhere.example/{key}\""),
        ("\"not_sent\"", "\"refused\""),
        ("[[lookup.answer]]", "within_seconds = 0\n[[lookup.answer]]"),
        ("max_parts = 2", "max_parts = "),
    ] {
        assert!(good.contains(from), "{from}");
        let fault = Profile::parse("small", &good.replacen(from, to, 1)).unwrap_err();
        faults.push_str(&format!("{to}\n    {fault}\n"));
    }
    faults.push_str(&format!(
        "name\n    {}\n",
        Profile::parse("Kannel 1", &good).unwrap_err()
    ));
    insta::assert_snapshot!(faults);
}
