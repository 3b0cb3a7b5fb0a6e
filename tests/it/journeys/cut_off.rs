//! Connections that are reset at every byte, on the real binary: what it says to a gateway or a relay, and
//! what it hears. Each connection of the daemon is cut at another byte, one after the other; then every law is
//! counted. A gateway that can be asked is asked over the same bad link.

use crate::support::campaign::{Campaign, rounds};
use crate::support::daemon::{LOOKUP, SANDBOX};
use crate::support::link::{CutAt, Link, Target};
use crate::support::mailbox::Mailbox;

/// Longer than what a gateway is asked and answers: the last cuts fall into the second message of a kept
/// connection.
const REQUEST: u64 = 1_400;
const ANSWER: u64 = 200;

/// Longer than what a relay is told of one mail, in two languages, as text and as HTML; and what it answers.
const MAIL: u64 = 9_000;
const REPLIES: u64 = 200;

/// Every byte, or every `step`th, of what is asked; what is answered is shorter and looked at more closely.
/// Its cuts come first: they fall on what was taken, and what is told anew then is told twice.
fn cuts(request: u64, reply: u64, step: u32) -> Vec<CutAt> {
    let closer = step.min(2) as usize;
    let replies = (0..=reply).step_by(closer).map(CutAt::Reply);
    let requests = (0..=request).step_by(step as usize);
    replies.chain(requests.map(CutAt::Request)).collect()
}

/// A gateway that is reached over a link, and is never left alone for its faults.
async fn campaign(people: u32, more: &str) -> (Campaign, Link) {
    let campaign = Campaign::alone(people, 1).await;
    let link = Link::to(Target::Tcp(campaign.gateway.address)).await;
    campaign.configure(|node| {
        node.hurry(2, "4s");
        node.speak(&format!("{SANDBOX}{more}"), 2);
        let (address, url) = (link.address(), campaign.gateway.url());
        node.configure(&url, &format!("http://{address}/gateway/messages"));
        let trusting = "[gateway.sms.breaker]\nfailures = 1000000\n[gateway.mail]";
        node.configure("[gateway.mail]", trusting);
    });
    (campaign, link)
}

/// Everybody is cancelled over a link that cuts, until it has cut everywhere.
async fn cut(campaign: &mut Campaign, link: &Link, people: u32, cuts: Vec<CutAt>) {
    campaign.start_all().await;
    link.cut_in_turn(cuts);
    campaign.cancel(0..people).await;
    campaign
        .until("every cut was made", |_| link.cuts_to_come() == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_can_be_asked_tells_each_once() {
    let cuts = cuts(REQUEST, ANSWER, rounds(14, 1));
    let (people, all) = (rounds(150, 1_000), cuts.len());
    let (mut campaign, link) = campaign(people, LOOKUP).await;
    cut(&mut campaign, &link, people, cuts).await;
    let (_, sum) = campaign
        .end(&format!("{all} cuts before a gateway that can be asked"))
        .await;
    assert_eq!(
        (sum.people, sum.twice, sum.marked),
        (people as usize, 0, 0),
        "{sum}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_cannot_be_asked_has_every_second_one_marked() {
    let cuts = cuts(REQUEST, ANSWER, rounds(14, 1));
    let (people, all) = (rounds(150, 1_000), cuts.len());
    let (mut campaign, link) = campaign(people, "").await;
    cut(&mut campaign, &link, people, cuts).await;
    let (_, sum) = campaign
        .end(&format!("{all} cuts before a gateway that cannot be asked"))
        .await;
    assert_eq!(sum.people, people as usize, "{sum}");
    assert!(sum.twice > 0, "no cut was late enough: {sum}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_has_every_second_mail_marked() {
    let cuts = cuts(MAIL, REPLIES, rounds(100, 1));
    let (people, all) = (rounds(160, 3_000), cuts.len());
    let (mut campaign, _) = campaign(people, "").await;
    let relay = Mailbox::start().await;
    let link = Link::to(Target::Tcp(relay.address)).await;
    campaign.tell_by_email(relay, link.address().port()).await;
    campaign.configure(|node| {
        let breaker = "[gateway.mail.breaker]\nfailures = 1000000\n[[source]]";
        node.configure("[[source]]", breaker);
    });
    cut(&mut campaign, &link, people, cuts).await;
    let (_, sum) = campaign.end(&format!("{all} cuts before a relay")).await;
    assert_eq!(sum.people, people as usize, "{sum}");
    assert!(sum.twice > 0, "no cut was late enough: {sum}");
}
