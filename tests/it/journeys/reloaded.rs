//! SIGHUP while the daemon works: what is wrong changes nothing and is named; what is good goes on from there, in
//! the same process, and nobody on the way is lost or told twice.

use varsel::store::Desk;

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};

/// What `check` says of a configuration, the log says of one that is not taken: the file, the line and the sentence, but
/// not the line's own text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_not_taken_is_named_by_file_and_line() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(1, &gateway.url(), "").await;
    daemon.start().await;
    daemon.configure("max_changes = 1000", "max_chnges = 1000 # 40700001");
    let checked = daemon.verb(&["check", "--json"]);
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let error = &checked["errors"][0];
    let said = ["message", "help"].map(|part| error[part].as_str().unwrap().to_owned());
    let place = format!("varsel.toml:{}: ", error["line"]);
    daemon.signal("HUP");
    daemon
        .until("it says what is wrong", async || {
            daemon.log().contains("not taken")
        })
        .await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("not taken")).unwrap();
    for part in [&place, &said[0], &said[1]] {
        assert!(line.contains(part.as_str()), "{part} is not in {line}");
    }
    assert!(
        !log.contains("40700001"),
        "the text of a file is not repeated"
    );
    daemon.signal("TERM");
    assert!(daemon.wait().success(), "{}", daemon.log());
}

/// What an SMS calls the office in the shipped directory, and another name.
const OLD: &str = "name_sms = \"Grønland passkontor\"";
const NEW: &str = "name_sms = \"Grønland senter\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_words_are_taken_whole_or_not_at_all() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(3, &gateway.url(), "").await;
    let root = env!("CARGO_MANIFEST_DIR");
    let shipped = format!("{root}/config/offices.toml");
    let words = std::fs::read_to_string(&shipped).unwrap();
    assert!(
        words.contains(OLD),
        "the shipped directory has another name"
    );
    let directory = daemon.path("offices.toml");
    std::fs::write(&directory, &words).unwrap();
    daemon.configure(&shipped, "offices.toml");
    daemon.start().await;

    // Half of it is good: nothing is taken.
    let broken = words.replace(OLD, NEW) + "\n[offices.gronland.opning]\n";
    std::fs::write(&directory, broken).unwrap();
    daemon.signal("HUP");
    daemon
        .until("it says what is wrong", async || {
            let log = daemon.log();
            log.contains("not taken, the daemon goes on as before") && log.contains("offices.toml:")
        })
        .await;
    gateway.behave(Behaviour::TakeAndWait);
    daemon.set_status([0], "cancelled").await;
    let told = gateway.wait_for(1).await;
    assert!(
        told[0].text.contains("Grønland passkontor"),
        "{}",
        told[0].text
    );

    // All of it is good, and one message is on the wire.
    std::fs::write(&directory, words.replace(OLD, NEW)).unwrap();
    daemon.signal("HUP");
    daemon
        .until("it is taken", async || daemon.log().contains("read anew"))
        .await;
    gateway.let_go();
    gateway.behave(Behaviour::Accept);
    daemon.set_status([1], "cancelled").await;
    let told = gateway.wait_for(2).await;
    assert!(told[1].text.contains("Grønland senter"), "{}", told[1].text);
    let store = daemon.store().await;
    let tally = async || store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    daemon
        .until("both were accepted", async || tally().await.sms == 2)
        .await;
    assert_eq!(
        tally().await.unknown,
        0,
        "what was on its way has its outcome"
    );
    assert_eq!(gateway.taken().len(), 2, "each was told once");
    daemon.until_ready().await;
    daemon.signal("TERM");
    assert!(daemon.wait().success(), "{}", daemon.log());
}
