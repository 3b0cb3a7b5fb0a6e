//! What we write to a relay, cut at every byte by a link between us. Before the body nothing can
//! have been taken, and it is said so; from the dot on only a reply is certain. In between we cannot
//! see how much arrived, so both may be said, and neither is a lie: without its dot nothing is taken.

use tokio::task::JoinSet;
use varsel::channel::email::Smtp;

use super::{letter, send, settings};
use crate::support::link::{Fault, Link, Target};
use crate::support::smtp_fault::{FaultServer, Script};

const DOT: &str = ".\r\n";

/// One mail over a link with this fault; the letter of its outcome, and the server.
async fn send_over(offers: &'static [&'static str], fault: Fault) -> (char, FaultServer) {
    let server = FaultServer::start(Script::offering(offers)).await;
    let link = Link::to(Target::Tcp(server.address)).await;
    link.set(fault);
    let smtp = Smtp::new(settings("127.0.0.1", link.address().port())).unwrap();
    let outcome = send(&smtp, "a@example.org").await;
    (letter(&outcome), server)
}

#[tokio::test]
async fn a_request_stream_cut_anywhere_is_never_called_not_sent_wrongly() {
    for offers in [&["PIPELINING"][..], &[]] {
        let (outcome, server) = send_over(offers, Fault::None).await;
        assert_eq!(outcome, 'A');
        let seen = server.seen();
        let commands: usize = seen.commands.iter().map(|(_, line)| line.len() + 2).sum();
        let dot = commands + seen.bodies[0].len();
        let whole = dot + DOT.len();
        let mut cuts = JoinSet::new();
        for cut in 0..=whole {
            cuts.spawn(async move {
                let fault = Fault::CutRequestsAfter(cut as u64);
                let (outcome, server) = send_over(offers, fault).await;
                let allowed = match cut {
                    _ if cut < commands => "N",
                    _ if cut <= dot => "NU",
                    _ => "U",
                };
                let place = format!("{offers:?}, cut at {cut} of {whole}");
                assert!(allowed.contains(outcome), "{place}: {outcome}");
                assert!(cut == whole || server.seen().accepted.is_empty(), "{place}");
            });
        }
        while let Some(cut) = cuts.join_next().await {
            cut.unwrap();
        }
    }
}
