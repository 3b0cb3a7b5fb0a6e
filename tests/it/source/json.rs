//! A list of JSON over HTTP: pages that are proved complete, a token that goes nowhere else, and
//! answers that spare a read.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use varsel::domain::appointment::Standing;
use varsel::source::{AnySource, Look, Snapshot, Source, SourceError};

use super::register::{directory, faults, floor, key};
use crate::support::house::parse_in;
use crate::support::http_fault::{Fault, HttpFault, answer};

/// What the system behind the address holds, and how it misbehaves.
#[derive(Default)]
struct Held {
    items: Vec<Value>,
    /// Added to the total that the second page says.
    drift: u64,
    /// This page says that it is empty.
    lost: Option<usize>,
    asked: Vec<String>,
    not_modified: usize,
}

type Shared = Arc<Mutex<Held>>;

/// Items on a page.
const PAGE: usize = 2;

async fn list(
    State(held): State<Shared>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let mut held = held.lock().unwrap();
    held.asked.push(uri.to_string());
    if headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        != Some("Bearer hemmelig")
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(id) = uri.path().strip_prefix("/appointments/") {
        let found = held.items.iter().find(|item| item["id"] == id);
        return match found {
            Some(item) => axum::Json(json!({ "appointment": item })).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let tag = format!("\"{}\"", serde_json::to_string(&held.items).unwrap().len());
    if headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        == Some(&tag)
    {
        held.not_modified += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let total = held.items.len() as u64;
    let body = match query.get("page").map(|page| page.parse::<usize>().unwrap()) {
        None => json!({ "data": held.items }),
        Some(page) => {
            let items: Vec<&Value> = held
                .items
                .iter()
                .skip((page - 1) * PAGE)
                .take(PAGE)
                .collect();
            let items = if held.lost == Some(page) {
                vec![]
            } else {
                items
            };
            let drift = if page > 1 { held.drift } else { 0 };
            json!({ "data": items, "meta": { "total": total + drift } })
        }
    };
    ([(header::ETAG, tag)], axum::Json(body)).into_response()
}

struct System {
    held: Shared,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl System {
    async fn start(items: Vec<Value>) -> Self {
        let held: Shared = Arc::default();
        held.lock().unwrap().items = items;
        let router = Router::new().fallback(list).with_state(Arc::clone(&held));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hemmelig\n").unwrap();
        Self {
            held,
            address,
            folder,
        }
    }

    fn hold(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().unwrap());
    }

    async fn open(&self, more: &str) -> Result<AnySource, SourceError> {
        open(&self.folder, &format!("http://{}", self.address), more).await
    }
}

async fn open(
    folder: &tempfile::TempDir,
    base: &str,
    more: &str,
) -> Result<AnySource, SourceError> {
    let text = format!(
        "[[source]]\nname = \"api\"\nprofile = \"json\"\nurl = \"{base}/appointments?from=:floor\"\n\
         token_file = \"token\"\n[source.json]\ntimeout = \"5s\"\n{more}"
    );
    let config = parse_in(folder.path(), &text).unwrap_or_else(|error| panic!("{error:?}"));
    let settings = config.source_settings().next().unwrap().unwrap();
    AnySource::open(settings, directory()).await
}

fn item(id: &str) -> Value {
    json!({
        "id": id, "status": "booked", "start": "2021-03-24T09:20:00+01:00",
        "office": { "code": "gronland" }, "service": "passport",
        "person": { "phone": "40 00 00 00", "email": "kari@example.com", "language": "nb" },
    })
}

fn items(count: usize) -> Vec<Value> {
    (1..=count).map(|n| item(&format!("A{n}"))).collect()
}

async fn snapshot(source: &mut AnySource) -> Snapshot {
    match source.snapshot(floor()).await.unwrap() {
        Look::Snapshot(snapshot) => snapshot,
        Look::Unchanged => panic!("the source says that nothing changed"),
    }
}

fn keys(snapshot: &Snapshot) -> BTreeSet<String> {
    snapshot.rows.iter().map(|row| row.key.0.clone()).collect()
}

const PAGED: &str = "[source.json.paging]\nparameter = \"page\"\ntotal = \"/meta/total\"\n";

#[tokio::test]
async fn a_list_is_read_with_its_token_and_an_unchanged_one_is_spared() {
    let system = System::start(items(2)).await;
    let mut source = system.open("").await.unwrap();
    let first = snapshot(&mut source).await;
    assert_eq!(faults(&first), Vec::<String>::new());
    assert_eq!(keys(&first), ["A1", "A2"].map(str::to_owned).into());
    assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
    system.hold(|held| {
        assert_eq!(held.not_modified, 1);
        assert!(held.asked[0].contains("from="), "{:?}", held.asked);
        assert!(held.asked.last().unwrap().ends_with("from=2021-03-15"));
        held.items[0]["status"] = "cancelled".into();
    });
    let next = snapshot(&mut source).await;
    assert_eq!(next.rows[0].state.standing, Standing::Cancelled);
    // What was not recorded is read again, whatever the tag says.
    source.forget();
    assert_eq!(snapshot(&mut source).await, next);
}

#[tokio::test]
async fn a_list_of_pages_counts_only_when_all_of_it_came() {
    let system = System::start(items(5)).await;
    let mut source = system.open(PAGED).await.unwrap();
    assert_eq!(keys(&snapshot(&mut source).await).len(), 5);
    // With several pages, the tag of the first spares nothing.
    assert_eq!(keys(&snapshot(&mut source).await).len(), 5);
    system.hold(|held| held.lost = Some(2));
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("it has 5 items, and 2 came"), "{said}");
    system.hold(|held| (held.lost, held.drift) = (None, 1));
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("its total changed from 5 to 6"), "{said}");
    system.hold(|held| {
        held.drift = 0;
        let again = held.items[0].clone();
        held.items[4] = again;
    });
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("id A1 comes twice"), "{said}");
    let few = format!("{PAGED}max_pages = 2\n");
    system.hold(|held| held.items = items(5));
    let mut few = system.open(&few).await.unwrap();
    let said = few.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("more than 2 pages"), "{said}");
}

#[tokio::test]
async fn a_booking_is_looked_up_by_its_own_address_or_in_the_whole_list() {
    let system = System::start(items(3)).await;
    let own = format!(
        "look_up = \"http://{}/appointments/:id\"\nlook_up_item = \"/appointment\"\n",
        system.address
    );
    for more in ["", own.as_str()] {
        let mut source = system.open(more).await.unwrap();
        let found = source.look_up(&[key("A2"), key("A9")]).await.unwrap();
        assert_eq!(keys(&found), ["A2".to_owned()].into());
    }
    system.hold(|held| assert!(held.asked.last().unwrap().ends_with("/appointments/A9")));
}

/// An answer after which nobody asks on the same connection again.
fn alone(status: u16, headers: &str, body: &str) -> Vec<u8> {
    answer(status, &format!("Connection: close\r\n{headers}"), body)
}

#[tokio::test]
async fn whatever_is_not_a_whole_list_changes_nobodys_state() {
    let server = HttpFault::start(Fault::Close(alone(200, "", "{\"data\": []}"))).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hemmelig\n").unwrap();
    let base = server.url();
    let base = base.trim_end_matches('/');
    let mut source = open(&folder, base, "max_body_bytes = 2000\n")
        .await
        .unwrap();
    let whole = alone(200, "", "{\"data\": []}");
    let cut = whole[..whole.len() - 3].to_vec();
    let long = format!("{{\"data\": [\"{}\"]}}", "x".repeat(3000));
    for (fault, expected, is_mapping) in [
        (Fault::Close(alone(401, "", "")), "is the token right", true),
        (
            Fault::Close(alone(404, "", "")),
            "is the address right",
            true,
        ),
        (
            Fault::Close(alone(302, "Location: http://127.0.0.1:9/\r\n", "")),
            "redirects are not followed",
            true,
        ),
        (Fault::Close(alone(500, "", "")), "500", false),
        (Fault::Close(alone(429, "", "")), "429", false),
        (Fault::Close(alone(304, "", "")), "304", true),
        (
            Fault::Close(alone(200, "", "\"40 00 00 00\"")),
            "no list at \"/data\"",
            true,
        ),
        (
            Fault::Close(alone(200, "", "<html>40 00 00 00")),
            "is no JSON",
            true,
        ),
        (
            Fault::Close(alone(200, "", &long)),
            "longer than 2000 bytes",
            false,
        ),
        (Fault::Close(cut.clone()), "broke off", false),
        (Fault::Reset(cut), "broke off", false),
    ] {
        server.now(fault.clone());
        let error = source.snapshot(floor()).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expected), "{fault:?}: {said}");
        assert!(
            !said.contains("40 00") && !said.contains("hemmelig"),
            "{said}"
        );
        assert_eq!(
            matches!(error, SourceError::Mapping { .. }),
            is_mapping,
            "{said}"
        );
    }
}

/// A list whose second page is named by its first; of the second page `next` says what follows.
async fn chained(next: &'static str) -> SocketAddr {
    let pages = move |Query(query): Query<std::collections::BTreeMap<String, String>>| async move {
        axum::Json(match query.get("cursor") {
            None => json!({ "data": [item("A1")], "total": 2, "next": "?cursor=two" }),
            Some(_) => json!({ "data": [item("A2")], "total": 2, "next": next }),
        })
    };
    let router = Router::new().fallback(pages);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

#[tokio::test]
async fn pages_are_followed_by_the_address_that_each_names_and_never_in_a_circle() {
    let more = "[source.json.paging]\nnext = \"/next\"\ntotal = \"/total\"\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hemmelig\n").unwrap();
    let at = |address: SocketAddr| format!("http://{address}");

    let mut source = open(&folder, &at(chained("").await), more).await.unwrap();
    let rows = snapshot(&mut source).await.rows;
    let keys: Vec<_> = rows.iter().map(|row| row.key.0.as_str()).collect();
    assert_eq!(keys, ["A1", "A2"]);

    let mut source = open(&folder, &at(chained("?cursor=two").await), more)
        .await
        .unwrap();
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("its pages run in a circle"), "{said}");
}

#[tokio::test]
async fn the_token_never_leaves_for_another_server() {
    let other = HttpFault::start(Fault::Answer(answer(200, "", "{\"data\": []}"))).await;
    let next = format!(
        "{{\"data\": [], \"total\": 0, \"next\": \"{}\"}}",
        other.url()
    );
    let server = HttpFault::start(Fault::Answer(answer(200, "", &next))).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hemmelig\n").unwrap();
    let base = server.url();
    let more = "[source.json.paging]\nnext = \"/next\"\ntotal = \"/total\"\n";
    let mut source = open(&folder, base.trim_end_matches('/'), more)
        .await
        .unwrap();
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("on another server"), "{said}");
    assert_eq!(other.take().len(), 0);
    assert_eq!(
        server.take()[0].header("authorization"),
        Some("Bearer hemmelig")
    );
}
