//! Asking a gateway what became of a message: only a whole answer that the profile knows says
//! anything; every break and every closed door says nothing.

use varsel::channel::Channel;
use varsel::channel::sms::Profile;
use varsel::domain::outcome::{Blame, Outcome};

use super::{ACCEPT, JSON, SECRET, open, small};
use crate::support::http_fault::{Fault, HttpFault, answer};

const LOOKUP: &str = r#"
[lookup]
path = "/messages/{key}"
query = { full = "{secret.q}" }
headers = { X-Key = "{secret.key}" }
[[lookup.answer]]
status = 200
body = '"state"'
outcome = "accepted"
gateway_id = "/id"
[[lookup.answer]]
status = 404
body = 'no such message'
outcome = "not_sent"
cause = "the gateway does not know it"
"#;

fn profile(server: &HttpFault) -> Profile {
    let text = small(JSON, &format!("{ACCEPT}\n{LOOKUP}"));
    let profile = Profile::parse("small", &text).unwrap();
    profile
        .at_url(&format!("{}send/deep", server.url()))
        .unwrap()
}

#[tokio::test]
async fn only_a_whole_answer_that_the_profile_knows_says_anything() {
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    let sms = open(profile(&server));
    let known = answer(200, "", r#"{"id":"g-7","state":"sent"}"#);
    let cut = known[..known.len() - 3].to_vec();
    let absent = answer(404, "", "no such message");
    for (fault, expected) in [
        (Fault::Answer(known.clone()), "accepted"),
        (Fault::Answer(absent.clone()), "not_sent"),
        // A 404 of somebody else on the way.
        (
            Fault::Answer(answer(404, "", "<h1>Not Found</h1>")),
            "unknown",
        ),
        (Fault::Answer(answer(200, "", "{}")), "unknown"),
        (Fault::Answer(answer(401, "", "")), "unknown"),
        (Fault::Answer(answer(403, "", "no such message")), "unknown"),
        (Fault::Answer(answer(500, "", "no such message")), "unknown"),
        (
            Fault::Answer(answer(429, "Retry-After: 9\r\n", "")),
            "unknown",
        ),
        (Fault::Close(cut.clone()), "unknown"),
        (Fault::Reset(cut), "unknown"),
        (Fault::Close(absent[..absent.len() - 1].to_vec()), "unknown"),
        (Fault::Close(Vec::new()), "unknown"),
        (Fault::ResetAfterReading(10), "unknown"),
    ] {
        server.now(fault.clone());
        let outcome = sms.ask("k/1 &?").await;
        assert_eq!(outcome.word(), expected, "{fault:?}: {outcome:?}");
        assert!(!matches!(
            outcome,
            Outcome::NotSent {
                blame: Blame::Account,
                ..
            }
        ));
        let shown = format!("{outcome:?}");
        assert!(!shown.contains(SECRET) && !shown.contains("k/1"), "{shown}");
    }
    server.now(Fault::Answer(known));
    server.take();
    let outcome = sms.ask("k/1 &?").await;
    let gateway_id = Some("g-7".to_owned());
    assert_eq!(outcome, Outcome::Accepted { gateway_id });
    let seen = server.take().remove(0);
    let path = format!("GET /messages/k%2F1%20%26%3F?full={SECRET} HTTP/1.1");
    assert_eq!(
        seen.line, path,
        "on the same host, and nothing breaks out of its place"
    );
    assert_eq!(seen.header("x-key"), Some(SECRET));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_or_cannot_be_asked_says_nothing() {
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    let profile = profile(&server);
    drop(server);
    assert_eq!(open(profile).ask("k").await.word(), "unknown");
    let mute = Profile::parse("small", &small(JSON, ACCEPT)).unwrap();
    assert_eq!((mute.lookup_within(), mute.dedup()), (None, None));
    assert_eq!(open(mute).ask("k").await.word(), "unknown");
}
