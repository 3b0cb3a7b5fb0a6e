//! The configuration: what the default holds, how layers merge, and what each mistake looks like to
//! the person who made it.

use std::path::Path;
use std::time::Duration;

use chrono::NaiveTime;
use secrecy::ExposeSecret;
use varsel::clock::Clock;
use varsel::config::{Config, DEFAULT, Mistakes};
use varsel::domain::calendar::SendWindow;
use varsel::domain::message::Channel;
use varsel::domain::plan::When;
use varsel::service::Mode;
use varsel::service::settings::Speaks;

use crate::support::house::{HOUSE, parse_in};

/// Reads `text` as a file in the folder `/srv/varsel`.
fn parse(text: &str) -> Result<Config, Mistakes> {
    parse_in(Path::new("/srv/varsel"), text)
}

/// The errors as a terminal without colours shows them.
fn shown(text: &str) -> String {
    let mistakes = parse(text).expect_err("this configuration is wrong");
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    let mut shown = String::new();
    for error in mistakes.errors() {
        handler.render_report(&mut shown, error).unwrap();
    }
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
fn by_day_is_the_default_of_every_window_and_each_may_be_always() {
    let hour = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let by_day = SendWindow::Daily {
        from: hour(8),
        to: hour(21),
    };
    let windows = |text: &str| {
        let windows = parse(text).unwrap().rules().windows;
        [windows.sms, windows.email, windows.phone]
    };
    assert_eq!(windows(""), [by_day; 3]);
    for (place, key) in ["sms", "email", "phone"].into_iter().enumerate() {
        let mut expected = [by_day; 3];
        expected[place] = SendWindow::Always;
        assert_eq!(
            windows(&format!("[windows]\n{key} = \"always\"\n")),
            expected
        );
    }
}

#[test]
fn an_en_dash_in_a_window_is_as_good_as_a_hyphen() {
    let dash = parse("[windows]\nsms = \"07:30–20:00\"\n").unwrap();
    let hyphen = parse("[windows]\nsms = \"07:30-20:00\"\n").unwrap();
    assert_eq!(dash.rules().windows.sms, hyphen.rules().windows.sms);
}

#[test]
fn what_show_prints_is_read_back_as_the_same_configuration() {
    let config = parse(HOUSE).unwrap();
    let shown = config.show();
    let again = parse_in(Path::new("/elsewhere"), &shown).unwrap();
    assert_eq!(again.file, config.file);
    assert_eq!(again.show(), shown);
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let agency = "[agency]\ndirectory = \"offices.toml\"\n";
    let config = parse(&format!("{agency}{HOUSE}")).unwrap();
    assert_eq!(
        config.file.source[0].path,
        Some("/srv/varsel/register.db".into())
    );
    assert_eq!(
        config.file.agency.directory.as_deref(),
        Some(Path::new("/srv/varsel/offices.toml"))
    );
    let (keys, secret) = &config.secrets()[0];
    assert_eq!(keys.join("."), "gateway.sms.secret_files.key");
    assert_eq!(secret.path, Path::new("/srv/varsel/key"));
}

#[test]
fn a_source_takes_from_its_profile_what_its_table_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    let profile = "region = \"NO\"\nstart = \"utc\"\nquery = \"SELECT 1\"\n[status]\n\
                   active = [\"booked\"]\ncancelled = [\"gone\"]\n[languages]\nno = \"nb\"\n";
    let text = "[[source]]\nname = \"oslo\"\nprofile = \"./own.toml\"\npath = \"r.db\"\n\
                start = \"naive\"\n[source.languages]\nengelsk = \"en\"\n";
    std::fs::write(&file, profile.replace("region", "regoin")).unwrap();
    let mistakes = parse_in(folder.path(), text).unwrap_err();
    let error = &mistakes.errors()[0];
    let name = error.file().unwrap();
    assert!(
        name.ends_with("own.toml"),
        "a mistake in the profile is shown there: {name}"
    );
    assert_eq!(error.line(), Some(1));
    assert_eq!(mistakes.errors().len(), 1, "{mistakes}");

    std::fs::write(&file, profile).unwrap();
    let config = parse_in(folder.path(), text).unwrap();
    let source = &config.file.source[0];
    assert_eq!(source.start, varsel::config::file::Start::Naive);
    assert_eq!(source.status.cancelled, ["gone"]);
    assert_eq!(source.languages.len(), 2);
    let again = parse_in(Path::new("/elsewhere"), &config.show()).unwrap();
    assert_eq!(
        again.file, config.file,
        "what is shown needs the profile no more"
    );
}

#[test]
fn the_rooms_get_settings_that_say_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "hemmelig\n").unwrap();
    let config = parse_in(folder.path(), HOUSE).unwrap();
    let settings = config.service(Clock::system()).unwrap();
    assert_eq!(settings.sources[0].name().0, "oslo");
    let [mail, gateway] = settings.gateways.as_slice() else {
        panic!("there are two gateways")
    };
    assert_eq!((gateway.name.as_str(), gateway.claim_ahead), ("sms", 64));
    let Mode::Trial(allowed) = &mail.mode else {
        panic!("a gateway starts on trial")
    };
    assert_eq!(allowed.len(), 1);
    let Speaks::Sms {
        secrets,
        report_within,
        ..
    } = &gateway.speaks
    else {
        panic!("the channel is sms")
    };
    assert_eq!(secrets["key"].expose_secret(), "hemmelig");
    assert!(report_within.is_some());
    let printed = format!("{config:?}{}", config.show());
    assert!(!printed.contains("hemmelig"), "no secret is ever printed");
}

#[test]
fn a_missing_secret_stops_the_service_but_not_the_reading() {
    let Err(mistakes) = parse(HOUSE).unwrap().service(Clock::system()) else {
        panic!("there is no such file")
    };
    let error = &mistakes.errors()[0];
    assert!(error.problem().contains("/srv/varsel/key"), "{error}");
    assert_eq!(error.file(), Some("varsel.toml"));
    let line = HOUSE
        .lines()
        .position(|line| line.contains("\"key\""))
        .unwrap()
        + 1;
    assert_eq!(
        error.line(),
        Some(line),
        "the line that names the file is shown"
    );
    assert!(error.is_not_there());
}

#[test]
fn show_prints_the_whole_document() {
    insta::assert_snapshot!(parse(HOUSE).unwrap().show());
}

/// One mistake each: what it is called, and the file that holds it.
const MISTAKES: [(&str, &str); 36] = [
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
    ("no share at all", "[ladder]\nshare = nan"),
    ("negative share", "[brake]\nmax_share = -0.1"),
    ("a window of no length", "[windows]\nsms = \"08:00-08:00\""),
    (
        "the register as store",
        "[store]\npath = \"./r.db\"\nSOURCE status = { active = [\"ok\"] }",
    ),
    (
        "unknown profile of a source",
        "SOURCE profile = \"sandbx\"\nstatus = { active = [\"ok\"] }",
    ),
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
    let mistakes = Config::load(Some(Path::new("/nowhere/varsel.toml"))).unwrap_err();
    let error = &mistakes.errors()[0];
    assert!(error.problem().contains("/nowhere/varsel.toml"), "{error}");
    assert!(error.remedy().is_some());
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_and_nothing_that_only_follows() {
    let text = r#"
[windws]
sms = "always"
[windows]
sms = "8 to 9"
emial = "always"
email = "09:00-09:00"
[ladder]
share = nan
[brake]
max_share = -1.0
[[source]]
name = "oslo"
pth = "register.db"
zone = "Europe/Olso"
[[source]]
name = "o slo"
path = "register.db"
start = "utc"
region = "NO"
query = "SELECT 1"
status = { active = ["a"], cancelled = ["a"] }
[gateway.sms]
channel = "sms"
profil = "kannel"
[gateway.mail]
channel = "email"
connections = 0
breaker = { failures = 0, rest = "2min" }
burst = 5
url = "http://127.0.0.1"
port = "25"
[[rule]]
when = "moved"
ladder = ["sms", "mail"]
"#;
    let mistakes = parse(text).unwrap_err();
    let told: Vec<String> = mistakes
        .errors()
        .iter()
        .map(|error| {
            assert_eq!(error.file(), Some("varsel.toml"));
            assert!(error.remedy().is_some(), "{error} has no remedy");
            let (line, key) = (error.line().unwrap(), error.key().unwrap());
            format!("{line:>2} {key}: {error}")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_key_without_a_default_has_a_stand_in() {
    let text = "[[source]]\n[gateway.x]\n[[rule]]\n";
    let (errors, config) = parse(text).unwrap_err().into_parts();
    assert!(config.is_some(), "reading goes on past every missing key");
    let keys: Vec<&str> = errors.iter().filter_map(|error| error.key()).collect();
    assert_eq!(
        keys,
        [
            "source.0.name",
            "source.0.start",
            "source.0.region",
            "source.0.status",
            "source.0.query",
            "gateway.x.channel",
            "rule.0.when",
            "rule.0.purpose",
            "rule.0.ladder",
            "rule.0.on_unknown",
        ]
    );
}
