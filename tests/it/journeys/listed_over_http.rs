//! From a list of appointments over HTTP to the phones: who is told when an item is cancelled or gone, and that a list
//! that is not whole tells nobody anything.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::house::parse_in;
use crate::support::world::World;

/// What the booking system lists, and whether it answers.
#[derive(Default)]
struct Held {
    items: Vec<Value>,
    broken: bool,
}

type Shared = Arc<Mutex<Held>>;

async fn answer(State(held): State<Shared>, uri: Uri) -> Response {
    let held = held.lock().unwrap();
    if held.broken {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let Some(id) = uri.path().strip_prefix("/appointments/") else {
        return axum::Json(json!({ "data": held.items })).into_response();
    };
    match held.items.iter().find(|item| item["id"] == id) {
        Some(item) => axum::Json(json!({ "appointment": item })).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn item(n: u32, status: &str) -> Value {
    json!({
        "id": format!("A{n}"), "status": status, "start": "2021-03-24T09:20:00+01:00",
        "office": { "code": "gronland" }, "service": "passport",
        "person": { "phone": format!("40 00 00 {n:02}"), "email": null, "language": "nb" },
    })
}

async fn pass(world: &mut World) -> Vec<String> {
    for _ in 0..3 {
        world.now += TimeDelta::seconds(30);
        world.look_or_not().await;
    }
    world.send().await;
    let mut told: Vec<_> = world.sms.taken().into_iter().map(|sms| sms.to).collect();
    told.sort();
    told
}

#[tokio::test]
async fn what_a_list_says_is_told_and_what_it_cannot_say_is_not() {
    let held: Shared = Arc::default();
    held.lock().unwrap().items = (1..=4).map(|n| item(n, "booked")).collect();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&held));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hemmelig\n").unwrap();
    let text = format!(
        "[[source]]\nname = \"api\"\nprofile = \"json\"\nurl = \"http://{address}/appointments?from=:floor\"\n\
         token_file = \"token\"\n"
    );
    let config = parse_in(folder.path(), &text).unwrap();
    let settings = config.source_settings().next().unwrap().unwrap();
    let mut world = World::with(&[]).await;
    world.watch(settings).await;

    held.lock().unwrap().broken = true;
    assert!(pass(&mut world).await.is_empty());
    {
        let mut held = held.lock().unwrap();
        held.broken = false;
        held.items[0] = item(1, "cancelled");
        held.items.remove(2);
    }
    assert_eq!(pass(&mut world).await, ["+4740000001", "+4740000003"]);
}
