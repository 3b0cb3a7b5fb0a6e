//! The LMTP server on real sockets: who is answered what, and what slow, long, broken and crowding
//! clients cost.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;
use varsel::inbound::lmtp::{Limits, Listener, Mail, MailDesk, Place, TurnedAway, serve};
use varsel::inbound::routes::{Answering, Taken};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Expects `ours…@…`, and answers by what follows that word.
#[derive(Default)]
struct Desk {
    taken: Mutex<Vec<(String, Vec<u8>)>>,
    turned_away: Mutex<Vec<TurnedAway>>,
}

impl MailDesk for Desk {
    fn expects(&self, recipient: &str) -> bool {
        recipient.starts_with("ours")
    }

    fn take(&self, recipient: String, mail: Mail) -> Answering<'_, Taken> {
        let answer = match recipient.split(['-', '@']).nth(1).unwrap() {
            "failed" => Taken::Failed,
            "unreadable" => Taken::Unreadable,
            "unknown" => Taken::Unknown,
            _ => Taken::Kept,
        };
        self.taken
            .lock()
            .unwrap()
            .push((recipient, mail.0.to_vec()));
        Box::pin(async move { answer })
    }

    fn turned_away(&self, why: TurnedAway) {
        self.turned_away.lock().unwrap().push(why);
    }
}

struct Served {
    address: SocketAddr,
    desk: Arc<Desk>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(limits: Limits) -> Self {
        let place = Place::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&place).await.unwrap();
        let address = listener.address().unwrap();
        let (desk, stop) = (Arc::new(Desk::default()), CancellationToken::new());
        let task = tokio::spawn(serve(listener, desk.clone(), stop.clone(), limits));
        Self {
            address,
            desk,
            stop,
            task,
        }
    }

    /// Sends `bytes` at once and reads until the server closes.
    async fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        all(&mut stream).await
    }

    fn turned_away(&self) -> Vec<TurnedAway> {
        self.desk.turned_away.lock().unwrap().clone()
    }

    fn taken(&self) -> Vec<(String, Vec<u8>)> {
        self.desk.taken.lock().unwrap().clone()
    }
}

async fn all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut said = Vec::new();
    // A reset after the answer is as good as an end: the server closed on us.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said))
        .await
        .expect("the server closes in time");
    String::from_utf8(said).unwrap()
}

/// The codes of the answers, one for each reply.
fn codes(said: &str) -> Vec<&str> {
    let last = |line: &&str| line.as_bytes().get(3) == Some(&b' ');
    said.lines().filter(last).map(|line| &line[..3]).collect()
}

const BEGIN: &[u8] = b"LHLO relay.example\r\nMAIL FROM:<> BODY=8BITMIME SIZE=20\r\n";
const MAIL: &[u8] = b"DATA\r\nSubject: x\r\n\r\n..bl\xe5\r\n.\r\n";
const QUIT: &[u8] = b"QUIT\r\n";

fn to(recipient: &str) -> Vec<u8> {
    format!("RCPT TO:<{recipient}> ORCPT=rfc822;kari@example.org\r\n").into_bytes()
}

#[tokio::test]
async fn each_recipient_has_an_answer_of_its_own_after_the_mail() {
    let served = Served::start(Limits::default()).await;
    let ours = ["ours-1", "ours-failed", "ours-unreadable", "ours-unknown"];
    let ours = ours.map(|name| to(&format!("{name}@b.example"))).concat();
    let asked = [BEGIN, &ours, &to("stranger@b.example"), MAIL, QUIT].concat();
    let said = served.ask(&asked).await;
    let expected = [
        "220", "250", "250", "250", "250", "250", "250", "550", "354", "250", "451", "250", "550",
        "221",
    ];
    assert_eq!(codes(&said), expected, "{said}");
    let taken = served.taken();
    assert_eq!(taken.len(), 4, "a stranger's mail is not even offered");
    assert!(
        taken
            .iter()
            .all(|(_, mail)| mail == b"Subject: x\r\n\r\n.bl\xe5\r\n")
    );
    assert_eq!(served.turned_away(), []);
}

#[tokio::test]
async fn commands_have_an_order_and_it_is_not_smtp() {
    let served = Served::start(Limits::default()).await;
    for (asked, expected) in [
        ("EHLO x\r\nHELO x\r\n", vec!["500", "500"]),
        ("RCPT TO:<ours-1@b.example>\r\nDATA\r\n", vec!["503", "503"]),
        ("MAIL FROM:<>\r\nDATA\r\n", vec!["250", "503"]),
        ("MAIL FROM:<>\r\nMAIL FROM:<>\r\n", vec!["250", "503"]),
        (
            "MAIL FROM\r\nMAIL FROM:<>\r\nRCPT TO:x\r\n",
            vec!["501", "250", "501"],
        ),
        (
            "MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n",
            vec!["250", "250", "250"],
        ),
        (
            "NOOP\r\nVRFY x\r\nEXPN x\r\n\r\n",
            vec!["250", "252", "500", "500"],
        ),
    ] {
        let said = served.ask(format!("{asked}QUIT\r\n").as_bytes()).await;
        let expected = [vec!["220"], expected, vec!["221"]].concat();
        assert_eq!(codes(&said), expected, "{asked}");
    }
    assert_eq!(served.taken().len(), 0);
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_counted() {
    let limits = Limits {
        mail_octets: 64,
        recipients: 2,
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    let announced = served
        .ask(b"LHLO x\r\nMAIL FROM:<> SIZE=65\r\nQUIT\r\n")
        .await;
    assert_eq!(codes(&announced), ["220", "250", "552", "221"]);
    let ours = ["ours-1", "ours-2", "ours-3"].map(|name| to(&format!("{name}@b.example")));
    let huge = [
        b"DATA\r\n".to_vec(),
        b"0123456789\r\n".repeat(9000),
        b".\r\n".to_vec(),
    ]
    .concat();
    let said = served
        .ask(&[BEGIN, &ours.concat(), &huge, QUIT].concat())
        .await;
    let expected = [
        "220", "250", "250", "250", "250", "452", "354", "552", "552", "221",
    ];
    assert_eq!(codes(&said), expected, "the session goes on");
    let line = served
        .ask(&[b"NOOP ".to_vec(), vec![b'x'; 9000]].concat())
        .await;
    assert_eq!(codes(&line), ["220", "500"], "{line}");
    assert_eq!(served.turned_away(), [TurnedAway::TooLarge; 2]);
    assert_eq!(served.taken().len(), 0);
}

#[tokio::test]
async fn a_mail_without_its_end_is_not_taken() {
    let served = Served::start(Limits::default()).await;
    let begun = [
        BEGIN,
        &to("ours-1@b.example"),
        b"DATA\r\nSubject: x\r\n\r\nhalf a li",
    ]
    .concat();
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&begun).await.unwrap();
    stream.shutdown().await.unwrap();
    let said = all(&mut stream).await;
    assert_eq!(codes(&said), ["220", "250", "250", "250", "354"]);
    assert_eq!(served.turned_away(), [TurnedAway::Incomplete]);
    assert_eq!(served.taken().len(), 0);
}

#[tokio::test]
async fn silence_and_a_trickle_of_lines_are_let_go_and_make_room() {
    let limits = Limits {
        connections: 1,
        silence: Duration::from_millis(150),
        session: Duration::from_millis(600),
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    let silent = served.ask(b"LHLO").await;
    assert_eq!(codes(&silent), ["220", "421"], "{silent}");
    // Never silent for long, and never done: each answer is asked for as soon as the last one came.
    let mut busy = TcpStream::connect(served.address).await.unwrap();
    let mut said = String::new();
    let trickle = async {
        let mut piece = [0; 256];
        while let Ok(count @ 1..) = busy.read(&mut piece).await {
            said.push_str(&String::from_utf8_lossy(&piece[..count]));
            if busy.write_all(b"NOOP\r\n").await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, trickle).await.unwrap();
    assert!(
        said.contains("421 4.4.2") || said.contains("421 4.7.0"),
        "{said:.200}"
    );
    let next = served.ask(b"QUIT\r\n").await;
    assert_eq!(codes(&next), ["220", "221"], "the one place is free again");
}

#[tokio::test]
async fn the_stop_says_so_and_keeps_no_mail_half() {
    let served = Served::start(Limits::default()).await;
    let begun = [BEGIN, &to("ours-1@b.example"), b"DATA\r\nSubject: x\r\n"].concat();
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&begun).await.unwrap();
    let mut said = [0; 512];
    let mut seen = String::new();
    while !seen.contains("354") {
        let count = stream.read(&mut said).await.unwrap();
        seen.push_str(std::str::from_utf8(&said[..count]).unwrap());
    }
    served.stop.cancel();
    let rest = all(&mut stream).await;
    assert_eq!(codes(&rest), ["421"], "{rest}");
    tokio::time::timeout(PATIENCE, served.task)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
    assert_eq!(served.desk.taken.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_unix_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    let place = Place::Unix(path.clone());
    drop(Listener::bind(&place).await.unwrap());
    assert!(path.exists(), "nobody removed it");
    let listener = Listener::bind(&place).await.unwrap();
    assert!(Listener::bind(&place).await.is_err(), "it is in use");
    let (desk, stop) = (Arc::new(Desk::default()), CancellationToken::new());
    tokio::spawn(serve(listener, desk, stop, Limits::default()));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"LHLO x\r\nQUIT\r\n").await.unwrap();
    assert_eq!(codes(&all(&mut stream).await), ["220", "250", "221"]);
    let file = folder.path().join("file");
    std::fs::write(&file, "not a socket").unwrap();
    assert!(Listener::bind(&Place::Unix(file.clone())).await.is_err());
    assert!(file.exists(), "what is no socket stays");
}
