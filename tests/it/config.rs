//! The configuration: what the default holds, how layers merge, and what each mistake looks like to
//! the person who made it.

use std::path::Path;
use std::time::Duration;

use chrono::NaiveTime;
use varsel::config::{Config, ConfigError, DEFAULT, Layer};
use varsel::domain::calendar::SendWindow;
use varsel::domain::message::Channel;
use varsel::domain::plan::When;

/// Reads `text` above the default, as the file `varsel.toml` in the folder `/srv/varsel`.
fn parse(text: &str) -> Result<Config, ConfigError> {
    let layer = Layer {
        name: "varsel.toml".to_owned(),
        text: text.to_owned(),
    };
    Config::parse(Some(layer), Path::new("/srv/varsel"))
}

/// The error as a terminal without colours shows it.
fn shown(text: &str) -> String {
    let error = parse(text).expect_err("this configuration is wrong");
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    let mut shown = String::new();
    handler.render_report(&mut shown, &error).unwrap();
    shown
}

#[test]
fn the_default_loads_and_says_what_it_means() {
    let config = Config::parse(None, Path::new("")).unwrap();
    assert_eq!(config.rules.short_notice, Duration::from_secs(48 * 3600));
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let daily = SendWindow::Daily {
        from: at(8),
        to: at(21),
    };
    assert_eq!(config.rules.windows.sms, daily);
    let passport = config
        .rules
        .rules
        .iter()
        .find(|rule| rule.services.is_empty() && rule.when == When::Cancelled);
    let ladder = passport.unwrap().ladder.channels();
    assert_eq!(ladder, [Channel::Sms, Channel::Email, Channel::Phone]);
}

#[test]
fn what_the_default_shows_is_read_like_any_file() {
    let config = parse(DEFAULT).unwrap();
    assert_eq!(config.file.rule.len(), 10);
}

#[test]
fn the_commented_examples_of_the_default_are_good_configuration() {
    let example = |line: &str| {
        let line = line
            .strip_prefix("# ")
            .or_else(|| line.strip_prefix('#'))
            .unwrap_or(line);
        line.to_owned()
    };
    let start = DEFAULT.find("# [[source]]").unwrap();
    let end = DEFAULT.find("# ── Rules").unwrap();
    let lines = DEFAULT[start..end]
        .lines()
        .filter(|line| !line.contains("──"));
    let is_toml = |line: &&str| {
        let text = line.trim_start_matches(['#', ' ']);
        text.starts_with('[')
            || text.starts_with('"')
            || text.contains(" = ")
            || text.starts_with("SELECT")
    };
    let text: Vec<String> = lines.filter(is_toml).map(example).collect();
    let config = parse(&text.join("\n")).unwrap();
    assert_eq!(config.file.source.len(), 1);
    assert_eq!(config.file.gateway.len(), 2);
}

#[test]
fn tables_merge_key_by_key_and_lists_replace() {
    let config = parse(
        "[windows]\nsms = \"always\"\n[[rule]]\nwhen = \"moved\"\npurpose = \"change\"\n\
         ladder = [\"sms\"]\non_unknown = \"hold\"\n",
    )
    .unwrap();
    assert_eq!(config.rules.windows.sms, SendWindow::Always);
    assert_ne!(config.rules.windows.email, SendWindow::Always);
    assert_eq!(config.rules.rules.len(), 1);
}

#[test]
fn an_en_dash_in_a_window_is_as_good_as_a_hyphen() {
    let dash = parse("[windows]\nsms = \"07:30–20:00\"\n").unwrap();
    let hyphen = parse("[windows]\nsms = \"07:30-20:00\"\n").unwrap();
    assert_eq!(dash.rules.windows.sms, hyphen.rules.windows.sms);
}

const WHOLE: &str = r#"
[agency]
directory = "offices.toml"

[[source]]
name = "oslo"
path = "register.db"
every = "30s"
zone = "Europe/Oslo"
region = "NO"
query = "SELECT * FROM bookings"
[source.status]
active = ["booked"]
cancelled = ["cancelled"]

[gateway.sms]
channel = "sms"
profile = "kannel"
url = "http://127.0.0.1:13013/cgi-bin/sendsms"
username = "varsel"
password_file = "sms_password"
trial_allow = ["+47 40 00 00 00", "@test.example", "a@b.example"]
"#;

#[test]
fn what_show_prints_is_read_back_as_the_same_configuration() {
    let config = parse(WHOLE).unwrap();
    let shown = config.show();
    let layer = Layer {
        name: "shown.toml".to_owned(),
        text: shown.clone(),
    };
    let again = Config::parse(Some(layer), Path::new("/elsewhere")).unwrap();
    assert_eq!(again.file, config.file);
    assert_eq!(again.show(), shown);
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(
        config.file.source[0].path,
        Path::new("/srv/varsel/register.db")
    );
    assert_eq!(
        config.file.agency.directory.as_deref(),
        Some(Path::new("/srv/varsel/offices.toml"))
    );
    let password = config.file.gateway["sms"].password_file.as_deref();
    assert_eq!(password, Some(Path::new("/srv/varsel/sms_password")));
}

#[test]
fn show_prints_the_whole_document() {
    insta::assert_snapshot!(parse(WHOLE).unwrap().show());
}

#[test]
fn every_mistake_shows_its_line_and_what_to_do() {
    let gateway = |line: &str| {
        format!("[gateway.sms]\nchannel = \"sms\"\nurl = \"http://127.0.0.1:1/\"\n{line}\n")
    };
    let cases: [(&str, String); 21] = [
        ("not TOML", "[windows\nsms = 1\n".to_owned()),
        ("unknown key", "[http]\n\n# where\nlissten = \"127.0.0.1:1\"\n".to_owned()),
        ("unknown table", "[windws]\nsms = \"always\"\n".to_owned()),
        ("wrong type", "[rules]\nshort_notice_hours = \"48\"\n".to_owned()),
        ("negative", "[rules]\nshort_notice_hours = -1\n".to_owned()),
        ("bad window", "[windows]\nsms = \"8 to 21\"\n".to_owned()),
        ("window over midnight", "[windows]\nsms = \"21:00-08:00\"\n".to_owned()),
        ("bad zone", "[agency]\nzone = \"Europe/Olso\"\n".to_owned()),
        ("bad length", "[drain]\nlimit = \"30 seconds\"\n".to_owned()),
        ("length without unit", "[drain]\nlimit = 30\n".to_owned()),
        ("numbered weekday", "[upkeep]\nerase = \"0 3 * * 1\"\n".to_owned()),
        ("six fields", "[upkeep]\nerase = \"0 0 3 * * Mon\"\n".to_owned()),
        ("impossible hour", "[upkeep]\nerase = \"0 25 * * *\"\n".to_owned()),
        ("bad share", "[ladder]\nshare = 1.5\n".to_owned()),
        ("bad rung", "[[rule]]\nwhen = \"moved\"\npurpose = \"change\"\nladder = [\"sms\", \"mail\"]\non_unknown = \"hold\"\n".to_owned()),
        ("missing key", "[[source]]\nname = \"oslo\"\n".to_owned()),
        ("bad language", "[agency]\nsecond_language = \"de\"\n".to_owned()),
        ("bad trial address", gateway("profile = \"kannel\"\ntrial_allow = [\"+47 40 00 00 00\", \"40 00 00 00\"]")),
        ("no profile", gateway("")),
        ("short lease", gateway("profile = \"kannel\"\nlease = \"5s\"")),
        ("inline password", gateway("profile = \"kannel\"\npassword = \"hemmelig\"")),
    ];
    let mut all = String::new();
    for (name, text) in cases {
        all.push_str(&format!("── {name}\n{}\n", shown(&text)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Some(Path::new("/nowhere/varsel.toml"))).unwrap_err();
    assert!(error.problem().contains("/nowhere/varsel.toml"), "{error}");
    assert!(error.remedy().is_some());
}
