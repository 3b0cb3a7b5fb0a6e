//! The sandbox's page, as people meet it: by plain forms, by a browser in light and dark, by keyboard.

mod browser;
mod mails;

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};

use varsel::domain::directory::OfficeId;
use varsel::sandbox::gateway::GatewayMode;
use varsel::sandbox::register::BookingQuery;
use varsel::sandbox::{BOOKINGS, Sandbox};
use varsel::store::{Batch, Desk};

use crate::sandbox::{Running, client, running, show};
use crate::support::world::{World, passport};

async fn get(sandbox: &Sandbox, path: &str) -> String {
    let answer = client()
        .get(format!("http://{}{path}", sandbox.http_addr))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// Posts a form as a browser without JavaScript would, and returns the page it is sent to.
async fn press(sandbox: &Sandbox, action: &str, fields: &[(&str, &str)]) -> String {
    let page = get(sandbox, "/").await;
    assert!(
        page.contains(&format!("action=\"{action}\"")),
        "the page has no form {action}"
    );
    for (name, _) in fields {
        assert!(
            page.contains(&format!("name=\"{name}\"")),
            "the page has no field {name}"
        );
    }
    post(sandbox, action, fields).await
}

async fn post(sandbox: &Sandbox, action: &str, fields: &[(&str, &str)]) -> String {
    let body = reqwest::Url::parse_with_params("http://x/", fields).unwrap();
    let answer = client()
        .post(format!("http://{}{action}", sandbox.http_addr))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.query().unwrap_or_default().to_owned())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303, "{action}");
    let to = answer.headers()["location"].to_str().unwrap().to_owned();
    get(sandbox, to.split('#').next().unwrap()).await
}

async fn cancelled(running: &Running) -> usize {
    let gone = BookingQuery {
        stands: Some(false),
        limit: BOOKINGS,
        ..BookingQuery::default()
    };
    running.sandbox.register.list(&gone).await.unwrap().len()
}

#[tokio::test]
async fn every_button_is_a_form_that_works_without_javascript() {
    let running = running().await;
    let sandbox = &running.sandbox;
    let fields = [("office", "gronland"), ("day", "2021-03-24")];
    let page = press(sandbox, "/acts/cancel-day", &fields).await;
    let count = cancelled(&running).await;
    assert!(count > 3);
    assert!(
        page.contains(&format!("{count} timer 24. mars er avlyst")),
        "{page}"
    );

    let all = BookingQuery {
        office: Some(OfficeId::from("furuset")),
        limit: 1,
        ..BookingQuery::default()
    };
    let one = sandbox.register.list(&all).await.unwrap().remove(0);
    let fields = [
        ("booking", one.number.as_str()),
        ("day", "2021-04-12"),
        ("time", "10:00"),
    ];
    let page = press(sandbox, "/acts/move", &fields).await;
    assert!(page.contains("flyttet til 12. april kl. 10.00"), "{page}");
    let moved = sandbox.register.find(&one.number).await.unwrap().unwrap();
    assert_eq!(moved.start.to_rfc3339(), "2021-04-12T08:00:00+00:00");

    post(sandbox, "/acts/cancel", &[("booking", &one.number)]).await;
    assert_eq!(cancelled(&running).await, count + 1);
    let page = press(sandbox, "/acts/reinstate", &[("booking", &one.number)]).await;
    assert!(page.contains("trukket tilbake"), "{page}");
    assert_eq!(cancelled(&running).await, count);

    let page = press(sandbox, "/acts/gateway", &[("mode", "failing")]).await;
    assert!(page.contains("SMS-porten er nede."), "{page}");
    assert_eq!(sandbox.gateway.mode(), GatewayMode::Failing);
}

#[tokio::test]
async fn a_button_that_cannot_work_says_why() {
    let running = running().await;
    let sandbox = &running.sandbox;
    let office = [("office", "nowhere"), ("day", "2021-03-24")];
    let day = [("office", "gronland"), ("day", "tomorrow")];
    let past = [
        ("booking", "B-100000"),
        ("day", "2021-03-01"),
        ("time", "10:00"),
    ];
    let gone = [("booking", "B-1"), ("day", "2021-04-12"), ("time", "10:00")];
    let batch = [("batch", "1"), ("version", "1"), ("people", "1")];
    for (action, fields, says) in [
        (
            "/acts/cancel-day",
            &office[..],
            "the directory has no office",
        ),
        ("/acts/cancel-day", &day[..], "Velg en dag."),
        ("/acts/move", &past[..], "Velg et tidspunkt som kommer."),
        ("/acts/move", &gone[..], "Timen finnes ikke lenger."),
        (
            "/acts/reinstate",
            &[("booking", "B-100000")][..],
            "Timen er ikke avlyst.",
        ),
        ("/acts/release", &batch[..], "Varsel starter fortsatt."),
        ("/acts/gateway", &[("mode", "angry")][..], "finnes ikke"),
    ] {
        let page = post(sandbox, action, fields).await;
        assert!(page.contains(says), "{action}: {page}");
    }
    assert_eq!(cancelled(&running).await, 0);
}

/// Version and count stand in the form; what is not as it was seen is not released.
#[tokio::test]
async fn a_batch_is_released_as_it_was_seen_or_not_at_all() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let mut world = World::with(&names.map(passport)).await;
    for id in names {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    let running = running().await;
    let sandbox = &running.sandbox;
    sandbox.attach_desk(world.store.clone());
    let fields = |batch: &Batch| {
        let seen = [i64::from(batch.version), i64::from(batch.people)];
        [batch.id.0, seen[0], seen[1]].map(|number| number.to_string())
    };
    let release = async |[batch, version, people]: [&str; 3]| {
        let fields = [("batch", batch), ("version", version), ("people", people)];
        press(sandbox, "/acts/release", &fields).await
    };
    let only = async || world.store.batches().await.unwrap().remove(0);
    let [batch, version, people] = fields(&only().await);
    let page = get(sandbox, "/").await;
    for (name, value) in [
        ("batch", &batch),
        ("version", &version),
        ("people", &people),
    ] {
        let field = format!("name=\"{name}\" value=\"{value}\"");
        assert!(page.contains(&field), "{field}: {page}");
    }
    for stale in [[&*batch, "99", &*people], [&*batch, &*version, "11"]] {
        let page = release(stale).await;
        assert!(
            page.contains("Bunken har endret seg: nå er det 12 personer"),
            "{page}"
        );
    }
    assert_eq!(world.tally().await.held, 12);
    // One comes back while the page lies open.
    world.set("a", "status", "booked").await;
    world.look().await;
    let page = release([&batch, &version, &people]).await;
    assert!(page.contains("nå er det 11 personer"), "{page}");
    assert_eq!(world.tally().await.held, 11);
    let [batch, version, people] = fields(&world.store.batches().await.unwrap().remove(0));
    let page = release([&batch, &version, &people]).await;
    assert!(
        page.contains("Varslene til 11 personer er sluppet."),
        "{page}"
    );
}

#[tokio::test]
async fn a_form_that_is_not_whole_is_answered_with_a_sentence() {
    let running = running().await;
    let sandbox = &running.sandbox;
    for action in [
        "cancel-day",
        "cancel",
        "move",
        "reinstate",
        "release",
        "gateway",
        "mail",
    ] {
        let action = format!("/acts/{action}");
        for fields in [
            &[("people", "many")][..],
            &[("batch", "x"), ("version", "1")][..],
        ] {
            let page = post(sandbox, &action, fields).await;
            assert!(
                page.contains("Skjemaet er ikke fylt ut"),
                "{action}: {page}"
            );
            assert!(
                page.contains("The form is not filled in"),
                "{action}: {page}"
            );
        }
    }
    assert_eq!(cancelled(&running).await, 0);
}

#[tokio::test]
async fn only_days_with_bookings_are_offered_and_an_empty_one_says_so() {
    let running = running().await;
    let sandbox = &running.sandbox;
    let page = get(sandbox, "/").await;
    let offered = |day: &str| page.contains(&format!("<option value=\"{day}\""));
    assert!(offered("2021-03-24"), "a Wednesday");
    assert!(page.contains("24. mars · 24 March"));
    let embassy = BookingQuery {
        office: Some(OfficeId::from("algiers")),
        limit: BOOKINGS,
        ..BookingQuery::default()
    };
    let embassy = sandbox.register.list(&embassy).await.unwrap();
    let sunday = "2021-03-21";
    let on_sunday = embassy
        .iter()
        .any(|b| b.start.date_naive().to_string() == sunday);
    assert_eq!(
        offered(sunday),
        on_sunday,
        "the embassy alone works on Sundays"
    );

    let day = [("office", "gronland"), ("day", "2021-03-24")];
    post(sandbox, "/acts/cancel-day", &day).await;
    let again = post(sandbox, "/acts/cancel-day", &day).await;
    assert!(
        again.contains("Det er ingen timer å avlyse 24. mars"),
        "{again}"
    );
    assert!(
        again.contains("There are no appointments to cancel on 24 March"),
        "{again}"
    );
    let numbers: Vec<String> = embassy.into_iter().map(|one| one.number).collect();
    sandbox.register.cancel(&numbers).await.unwrap();
    assert!(
        !get(sandbox, "/")
            .await
            .contains("<option value=\"2021-03-21\"")
    );
}

#[tokio::test]
async fn the_page_says_that_a_gateway_does_not_behave() {
    let running = running().await;
    let sandbox = &running.sandbox;
    assert!(!get(sandbox, "/").await.contains("class=\"ds-alert mood\""));
    for (action, mode, says) in [
        (
            "/acts/gateway",
            "slow",
            "SMS-porten er treg: hvert svar tar flere sekunder.",
        ),
        (
            "/acts/gateway",
            "failing",
            "The SMS gateway is down: no SMS leaves",
        ),
        (
            "/acts/mail",
            "failing",
            "The mail server is down: no e-mail leaves",
        ),
    ] {
        post(sandbox, action, &[("mode", mode)]).await;
        let page = get(sandbox, "/").await;
        assert!(page.contains(says), "{page}");
    }
}

#[tokio::test]
async fn an_sms_shows_its_parts_its_cost_and_unbroken_numbers() {
    let running = running().await;
    let sandbox = &running.sandbox;
    let long = "Ring 22 34 21 00. ".repeat(12);
    let sms = serde_json::json!({
        "to": "+4740700001", "from": "Politiet", "text": long, "key": "k1", "validity_seconds": 60,
    });
    let answer = client()
        .post(sandbox.gateway_url())
        .header("content-type", "application/json")
        .body(sms.to_string())
        .send();
    assert_eq!(answer.await.unwrap().status(), 202);
    let page = get(sandbox, "/").await;
    assert!(
        page.contains("2 SMS-deler · kr\u{a0}0,90 · GSM-7"),
        "{page}"
    );
    assert!(page.contains("2 parts · NOK\u{a0}0.90"), "{page}");
    assert!(
        page.contains("Ring 22\u{a0}34\u{a0}21\u{a0}00. Ring"),
        "{page}"
    );
    assert!(
        page.contains("kr\u{a0}0,90 til en oppdiktet pris av kr\u{a0}0,45 per del"),
        "{page}"
    );
    assert_eq!(
        sandbox.gateway.newest()[0].text,
        long,
        "what was sent is as it was sent"
    );
}

/// Every Norwegian label stands beside its English one.
#[tokio::test]
async fn every_label_and_button_is_bilingual() {
    let running = running().await;
    let page = get(&running.sandbox, "/").await;
    for tag in ["label", "legend", "button", "h1", "h2", "h3", "th"] {
        let open = format!("<{tag} ");
        let mut found = 0;
        for piece in page.split(&open).skip(1) {
            let content = piece.split(&format!("</{tag}>")).next().unwrap();
            assert!(content.contains("lang=\"en\""), "{tag}: {content}");
            found += 1;
        }
        assert!(found > 0 || tag == "th", "the page has no {tag}");
    }
}

#[tokio::test]
async fn strangers_in_the_browser_are_refused() {
    let running = running().await;
    let base = format!("http://{}", running.sandbox.http_addr);
    let act = format!("{base}/acts/gateway");
    let form = |request: reqwest::RequestBuilder| {
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body("mode=failing")
            .send()
    };
    let http = client();
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("host", "evil.example"),
    ] {
        let answer = form(http.post(&act).header(name, value)).await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    let rebound = http
        .get(&base)
        .header("host", "evil.example:8025")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), 403);
    assert_eq!(running.sandbox.gateway.mode(), GatewayMode::Normal);
    let own = form(http.post(&act).header("origin", &base)).await.unwrap();
    assert_eq!(own.status(), 303);
}

#[tokio::test]
async fn the_page_runs_nothing_but_its_own() {
    let running = running().await;
    let url = format!("http://{}/", running.sandbox.http_addr);
    let answer = client().get(&url).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
    let page = answer.text().await.unwrap();
    for inline in [
        "style=",
        "<style",
        "onclick",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!page.contains(inline), "{inline}");
    }
    let searched = get(&running.sandbox, "/?q=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!searched.contains("<script>alert"));
}

#[tokio::test]
async fn the_event_stream_sends_a_region_when_it_changes() {
    let running = running().await;
    let url = format!("http://{}/live", running.sandbox.http_addr);
    let mut stream = client().get(url).send().await.unwrap();
    let mut read = String::new();
    let mut pressed = false;
    while !read.contains("SMS-porten er treg.") {
        let piece = stream.chunk().await.unwrap().expect("the stream goes on");
        read.push_str(std::str::from_utf8(&piece).unwrap());
        if !pressed && read.contains("event: tally") {
            pressed = true;
            post(&running.sandbox, "/acts/gateway", &[("mode", "slow")]).await;
        }
    }
    let told: Vec<&str> = read
        .lines()
        .filter(|line| line.starts_with("event: "))
        .collect();
    assert_eq!(
        told.iter().filter(|line| **line == "event: feed").count(),
        2,
        "{told:?}"
    );
    assert_eq!(
        told.iter().filter(|line| **line == "event: phones").count(),
        1,
        "{told:?}"
    );

    running.sandbox.stop().await;
    let end = tokio::time::timeout(Duration::from_secs(60), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    assert!(end.await.is_ok(), "the stream ends with the sandbox");
}

#[test]
fn the_vendored_style_sheets_are_what_their_list_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/vendor");
    let list = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for name in ["designsystemet.css", "designsystemet-theme.css"] {
        let content = std::fs::read(folder.join(name)).unwrap();
        let sum = Sha256::digest(content)
            .iter()
            .fold(String::new(), |mut sum, byte| {
                let _ = write!(sum, "{byte:02x}");
                sum
            });
        let line = list
            .lines()
            .find(|line| line.contains(&format!("| {name} ")));
        assert!(
            line.is_some_and(|line| line.contains(&sum)),
            "{name} is {sum}"
        );
    }
}
