//! The configuration: what the default holds, how layers merge, and what each mistake looks like to
//! the person who made it.

use std::path::Path;
use std::time::Duration;

use chrono::NaiveTime;
use secrecy::ExposeSecret;
use varsel::clock::Clock;
use varsel::config::{Config, ConfigError, DEFAULT, Layer};
use varsel::domain::calendar::SendWindow;
use varsel::domain::message::Channel;
use varsel::domain::plan::When;
use varsel::service::Mode;
use varsel::service::settings::Speaks;

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
    assert_eq!(config.rules().short_notice, Duration::from_secs(48 * 3600));
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let daily = SendWindow::Daily {
        from: at(8),
        to: at(21),
    };
    let rules = config.rules();
    assert_eq!(rules.windows.sms, daily);
    let passport = rules
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
    assert_eq!(config.rules().windows.sms, SendWindow::Always);
    assert_ne!(config.rules().windows.email, SendWindow::Always);
    assert_eq!(config.rules().rules.len(), 1);
}

#[test]
fn an_en_dash_in_a_window_is_as_good_as_a_hyphen() {
    let dash = parse("[windows]\nsms = \"07:30–20:00\"\n").unwrap();
    let hyphen = parse("[windows]\nsms = \"07:30-20:00\"\n").unwrap();
    assert_eq!(dash.rules().windows.sms, hyphen.rules().windows.sms);
}

const WHOLE: &str = r#"
[agency]
directory = "offices.toml"

[[source]]
name = "oslo"
path = "register.db"
start = "utc"
region = "NO"
query = "SELECT * FROM bookings"
[source.status]
active = ["booked"]
cancelled = ["cancelled"]

[gateway.sms]
channel = "sms"
profile = "kannel"
secret_files = { user = "sms_user", password = "sms_password" }
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
    let secrets = config.secrets();
    assert_eq!(secrets[0].path, Path::new("/srv/varsel/sms_password"));
}

#[test]
fn a_source_takes_from_its_profile_what_its_table_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    let profile = "region = \"NO\"\nstart = \"utc\"\nquery = \"SELECT 1\"\n[status]\n\
                   active = [\"booked\"]\ncancelled = [\"gone\"]\n[languages]\nno = \"nb\"\n";
    let text = "[[source]]\nname = \"oslo\"\nprofile = \"./own.toml\"\npath = \"r.db\"\n\
                start = \"naive\"\n[source.languages]\nengelsk = \"en\"\n";
    let read = |text: &str, folder: &Path| {
        let layer = Layer {
            name: "varsel.toml".to_owned(),
            text: text.to_owned(),
        };
        Config::parse(Some(layer), folder)
    };
    std::fs::write(&file, profile.replace("region", "regoin")).unwrap();
    let error = read(text, folder.path()).unwrap_err();
    let (name, line) = error.place().unwrap();
    assert!(
        name.ends_with("own.toml"),
        "a mistake in the profile is shown there: {name}"
    );
    assert_eq!(line, 1);

    std::fs::write(&file, profile).unwrap();
    let config = read(text, folder.path()).unwrap();
    let source = &config.file.source[0];
    assert_eq!(source.start, varsel::config::file::Start::Naive);
    assert_eq!(source.status.cancelled, ["gone"]);
    assert_eq!(source.languages.len(), 2);
    let again = read(&config.show(), Path::new("/elsewhere")).unwrap();
    assert_eq!(
        again.file, config.file,
        "what is shown needs the profile no more"
    );
}

#[test]
fn the_rooms_get_settings_that_say_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sms_user", "sms_password"] {
        std::fs::write(folder.path().join(name), "hemmelig\n").unwrap();
    }
    let layer = Layer {
        name: "varsel.toml".to_owned(),
        text: WHOLE.to_owned(),
    };
    let config = Config::parse(Some(layer), folder.path()).unwrap();
    let settings = config.service(Clock::system()).unwrap();
    assert_eq!(settings.sources[0].name.0, "oslo");
    let gateway = &settings.gateways[0];
    assert_eq!((gateway.name.as_str(), gateway.claim_ahead), ("sms", 64));
    let Mode::Trial(allowed) = &gateway.mode else {
        panic!("a gateway starts on trial")
    };
    assert_eq!(allowed.len(), 3);
    let Speaks::Sms {
        secrets,
        report_within,
        ..
    } = &gateway.speaks
    else {
        panic!("the channel is sms")
    };
    assert_eq!(secrets["password"].expose_secret(), "hemmelig");
    assert!(report_within.is_some());
    let printed = format!("{config:?}{}", config.show());
    assert!(!printed.contains("hemmelig"), "no secret is ever printed");
}

#[test]
fn a_missing_secret_stops_the_service_but_not_the_reading() {
    let Err(error) = parse(WHOLE).unwrap().service(Clock::system()) else {
        panic!("there is no such file")
    };
    assert!(
        error.problem().contains("/srv/varsel/sms_password"),
        "{error}"
    );
    let (name, _) = error.place().expect("the gateway's table is shown");
    assert_eq!(name, "varsel.toml");
}

#[test]
fn show_prints_the_whole_document() {
    insta::assert_snapshot!(parse(WHOLE).unwrap().show());
}

/// One mistake each: what it is called, and the file that holds it.
const MISTAKES: [(&str, &str); 31] = [
    ("not TOML", "[windows\nsms = 1"),
    (
        "unknown key",
        "[http]\n\n# where\nlissten = \"127.0.0.1:1\"",
    ),
    ("unknown table", "[windws]\nsms = \"always\""),
    ("wrong type", "[rules]\nshort_notice_hours = \"48\""),
    ("negative", "[rules]\nshort_notice_hours = -1"),
    ("bad window", "[windows]\nsms = \"8 to 21\""),
    ("window over midnight", "[windows]\nsms = \"21:00-08:00\""),
    ("bad zone", "[agency]\nzone = \"Europe/Olso\""),
    ("bad length", "[drain]\nlimit = \"30 seconds\""),
    ("length without unit", "[drain]\nlimit = 30"),
    ("bad address", "[http]\nlisten = \"localhost\""),
    ("numbered weekday", "[upkeep]\nerase = \"0 3 * * 1\""),
    ("six fields", "[upkeep]\nerase = \"0 0 3 * * Mon\""),
    ("impossible hour", "[upkeep]\nerase = \"0 25 * * *\""),
    ("bad share", "[ladder]\nshare = 1.5"),
    (
        "bad rung",
        "[[rule]]\nwhen = \"moved\"\npurpose = \"change\"\nladder = [\"sms\", \"mail\"]",
    ),
    ("missing key", "[[source]]\nname = \"oslo\""),
    ("bad language", "[agency]\nsecond_language = \"de\""),
    (
        "bad trial address",
        "SMS trial_allow = [\"+47 40 00 00 00\", \"40 00 00 00\"]",
    ),
    ("no profile", "[gateway.sms]\nchannel = \"sms\""),
    (
        "unknown profile",
        "[gateway.sms]\nchannel = \"sms\"\nprofile = \"kanel\"",
    ),
    (
        "a secret without a file",
        "[gateway.sms]\nchannel = \"sms\"\nprofile = \"kannel\"",
    ),
    ("short lease", "SMS lease = \"5s\""),
    ("inline password", "SMS password = \"hemmelig\""),
    (
        "a key of the other channel",
        "SMS host = \"mail.agency.example\"",
    ),
    ("no sender", "MAIL port = 587"),
    (
        "a user without a password",
        "MAIL envelope_from = \"v@agency.example\"\nusername = \"v\"",
    ),
    (
        "two gateways of one channel",
        "MAIL envelope_from = \"v@agency.example\"\n[gateway.a]\n\
      channel = \"email\"\nhost = \"b.example\"\nenvelope_from = \"v@agency.example\"",
    ),
    ("no status word", "SOURCE status = {}"),
    (
        "two meanings",
        "SOURCE status = { active = [\"ok\"], cancelled = [\"ok\"] }",
    ),
    (
        "bad word for a language",
        "SOURCE status = { active = [\"ok\"] }\nlanguages = { no = \"no\" }",
    ),
];

/// The tables that a mistake is put into.
const TABLES: [(&str, &str); 3] = [
    (
        "SMS ",
        "[gateway.sms]\nchannel = \"sms\"\nprofile = \"kannel\"\n\
      secret_files = { user = \"u\", password = \"p\" }\n",
    ),
    (
        "MAIL ",
        "[gateway.mail]\nchannel = \"email\"\nhost = \"mail.agency.example\"\n",
    ),
    (
        "SOURCE ",
        "[[source]]\nname = \"oslo\"\npath = \"r.db\"\nregion = \"NO\"\nstart = \"utc\"\n\
      query = \"SELECT 1\"\n",
    ),
];

#[test]
fn every_mistake_shows_its_line_and_what_to_do() {
    let mut all = String::new();
    for (name, mistake) in MISTAKES {
        let text = TABLES
            .iter()
            .fold(mistake.to_owned(), |text, (short, long)| {
                text.replace(short, long)
            });
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
