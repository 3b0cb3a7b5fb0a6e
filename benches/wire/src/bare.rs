//! The bare loop: so many connections, each with one message in flight, no queue and no memory. What a
//! sender with a promise is compared with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Problem;

/// Posts `messages` messages to `url` over `connections` connections; every answer is read to its end.
pub(crate) async fn send(url: &str, messages: u64, connections: usize) -> Result<(), Problem> {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(connections)
        .tcp_nodelay(true)
        .build()?;
    let next = Arc::new(AtomicU64::new(0));
    let mut loops = Vec::new();
    for _ in 0..connections {
        let (client, next, url) = (client.clone(), Arc::clone(&next), url.to_owned());
        loops.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= messages {
                    return Ok::<(), Problem>(());
                }
                let request = client.post(&url).header("content-type", "application/json");
                let answer = request.body(message(number)).send().await?;
                answer.error_for_status()?.bytes().await?;
            }
        }));
    }
    for one in loops {
        one.await??;
    }
    Ok(())
}

/// A message as Varsel's own are: in two languages, of two parts, with its key and its validity.
fn message(number: u64) -> String {
    let place = number % 7;
    format!(
        concat!(
            r#"{{"key":"bare-{number:08}","to":"+4740700000","from":"Politiet","text":"#,
            r#""Timen din 24. mars kl. 10.20 ved kontor {place} er avlyst. Bestill ny time. Ref. {number}.\n\n"#,
            r#"Your appointment on 24 March at 10:20 at office {place} is cancelled. Book again. Ref. {number}.","#,
            r#""encoding":"gsm7","parts":2,"validity_seconds":3600,"callback_url":""}}"#
        ),
        number = number,
        place = place
    )
}
