//! The HTTP server on real sockets: what it answers, and what slow, long and crowding clients cost.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use varsel::inbound::http::{Limits, serve};
use varsel::inbound::routes::{self, Answering, Delivery, ReportDesk, Taken, Vital};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers what it is told to, and remembers what it was asked.
struct Desk {
    answer: Taken,
    seen: Mutex<Vec<Delivery>>,
}

impl ReportDesk for Desk {
    fn take(&self, delivery: Delivery) -> Answering<'_, Taken> {
        self.seen.lock().unwrap().push(delivery);
        Box::pin(async { self.answer })
    }
}

struct Daemon(Result<(), String>);

impl Vital for Daemon {
    fn live(&self) -> Result<(), String> {
        self.0.clone()
    }

    fn ready(&self) -> Answering<'_, Result<(), String>> {
        Box::pin(async { self.0.clone() })
    }

    fn metrics(&self) -> Answering<'_, String> {
        Box::pin(async { varsel::telemetry::Metrics::default().text() })
    }
}

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn start(router: axum::Router, limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, router, stop.clone(), limits));
    Served {
        address,
        stop,
        task,
    }
}

/// Sends `request` as it stands and reads until the server closes.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A reset after the answer is as good as an end: the server closed on us.
    let _ = tokio::time::timeout(PATIENCE, read)
        .await
        .expect("an answer in time");
    String::from_utf8(answer).unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    ask(address, &request).await
}

async fn post(address: SocketAddr, path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    ask(address, &request).await
}

fn status(answer: &str) -> u16 {
    let code = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    code.parse().unwrap()
}

#[tokio::test]
async fn a_report_is_answered_by_what_became_of_it() {
    for (answer, code) in [
        (Taken::Kept, 200),
        (Taken::Unknown, 404),
        (Taken::Unreadable, 400),
        (Taken::Failed, 503),
    ] {
        let desk = Arc::new(Desk {
            answer,
            seen: Mutex::default(),
        });
        let served = start(routes::reports(desk.clone()), Limits::default()).await;
        let shown = get(served.address, "/reports/sms/tok?state=1&reason=a%20b").await;
        assert_eq!(status(&shown), code);
        let seen = desk.seen.lock().unwrap().clone();
        assert_eq!(seen[0].gateway, "sms");
        assert_eq!(seen[0].token, "tok");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            seen[0].parameters,
            [pair("state", "1"), pair("reason", "a b")]
        );
    }
}

#[tokio::test]
async fn the_parameters_of_a_form_and_of_json_follow_those_of_the_query() {
    let desk = Arc::new(Desk {
        answer: Taken::Kept,
        seen: Mutex::default(),
    });
    let served = start(routes::reports(desk.clone()), Limits::default()).await;
    let path = "/reports/sms/tok?a=1";
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        status(&post(served.address, path, form, "b=2&c=%C3%A5").await),
        200
    );
    let json = r#"{"b":2,"c":"å","d":{"deep":1}}"#;
    assert_eq!(
        status(&post(served.address, path, "application/json", json).await),
        200
    );
    assert_eq!(
        status(&post(served.address, path, "application/json", "{").await),
        400
    );
    let seen = desk.seen.lock().unwrap().clone();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = [pair("a", "1"), pair("b", "2"), pair("c", "å")];
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].parameters, expected);
    assert_eq!(seen[1].parameters, expected);
}

#[tokio::test]
async fn health_and_metrics_tell_what_the_daemon_says() {
    let well = start(routes::health(Arc::new(Daemon(Ok(())))), Limits::default()).await;
    let ill = Daemon(Err("the baseline is not complete".to_owned()));
    let ill = start(routes::health(Arc::new(ill)), Limits::default()).await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(status(&get(well.address, path).await), 200);
        let answer = get(ill.address, path).await;
        assert_eq!(status(&answer), 503);
        assert!(
            answer.ends_with("the baseline is not complete\n"),
            "{answer}"
        );
    }
    let figures = get(well.address, "/metrics").await;
    assert!(
        figures.contains("application/openmetrics-text"),
        "{figures}"
    );
    assert!(figures.ends_with("# EOF\n"), "{figures}");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let desk = Arc::new(Desk {
        answer: Taken::Kept,
        seen: Mutex::default(),
    });
    let limits = Limits {
        max_body_bytes: 64,
        ..Limits::default()
    };
    let served = start(routes::reports(desk.clone()), limits).await;
    let form = "application/x-www-form-urlencoded";
    let answer = post(served.address, "/reports/sms/tok", form, &"a".repeat(65)).await;
    assert_eq!(status(&answer), 413);
    assert_eq!(desk.seen.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_client_that_never_ends_its_request_is_let_go() {
    let limits = Limits {
        read_timeout: Duration::from_millis(200),
        request_timeout: Duration::from_millis(200),
        max_connections: 1,
        ..Limits::default()
    };
    let desk = Arc::new(Desk {
        answer: Taken::Kept,
        seen: Mutex::default(),
    });
    let served = start(routes::reports(desk), limits).await;
    let half_a_head = ask(served.address, "GET /reports/sms/tok HTTP/1.1\r\nhost:").await;
    assert!(!half_a_head.contains("200 OK"), "{half_a_head}");
    let half_a_body = "POST /reports/sms/tok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                       content-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    assert_eq!(status(&ask(served.address, half_a_body).await), 408);
    // The one place is free again.
    assert_eq!(status(&get(served.address, "/reports/sms/tok").await), 200);
}

#[tokio::test]
async fn the_stop_lets_a_request_finish_and_closes_the_port() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (in_begun, in_go_on) = (begun.clone(), go_on.clone());
    let handler = move || {
        let (begun, go_on) = (in_begun.clone(), in_go_on.clone());
        async move {
            begun.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let router = axum::Router::new().route("/slow", axum::routing::get(handler));
    let served = start(router, Limits::default()).await;
    let asking = tokio::spawn(async move { get(served.address, "/slow").await });
    begun.notified().await;
    served.stop.cancel();
    go_on.notify_one();
    let answer = asking.await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    tokio::time::timeout(PATIENCE, served.task)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
