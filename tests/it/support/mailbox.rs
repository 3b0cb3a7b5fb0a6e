//! A mail server for journeys: real SMTP on loopback, takes everything, and reads it back with an
//! independent parser.

use std::net::SocketAddr;

use mail_parser::{Message, MessageParser};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// One mail as it came.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    pub to: String,
    pub raw: Vec<u8>,
}

impl Mail {
    fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.raw).unwrap()
    }

    pub fn subject(&self) -> String {
        self.parsed().subject().unwrap().to_owned()
    }

    pub fn text(&self) -> String {
        self.parsed().body_text(0).unwrap().into_owned()
    }

    /// A header field's value, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let raw = self.parsed().header_raw(name)?.to_owned();
        Some(raw.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    pub fn html(&self) -> String {
        self.parsed().body_html(0).unwrap().into_owned()
    }
}

#[derive(Clone)]
pub struct Mailbox {
    pub address: SocketAddr,
    taken: watch::Sender<Vec<Mail>>,
}

impl Mailbox {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mailbox = Self {
            address,
            taken: watch::Sender::new(Vec::new()),
        };
        let taking = mailbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taking = taking.clone();
                tokio::spawn(async move { taking.serve(stream).await });
            }
        });
        mailbox
    }

    /// Everything taken so far, in order.
    pub fn taken(&self) -> Vec<Mail> {
        self.taken.borrow().clone()
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mail.example ready\r\n").await?;
        let (mut from, mut to) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            if !line.ends_with('\n') {
                // What was cut off was not said.
                return Ok(());
            }
            let upper = line.to_ascii_uppercase();
            let answer = match upper.split([' ', ':', '\r']).next().unwrap() {
                "EHLO" => "250-mail.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                "MAIL" => {
                    from = address(&line);
                    "250 ok\r\n"
                }
                "RCPT" => {
                    to = address(&line);
                    "250 ok\r\n"
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let raw = read_mail(&mut stream).await?;
                    self.taken.send_modify(|mails| {
                        mails.push(Mail {
                            from: from.clone(),
                            to: to.clone(),
                            raw,
                        })
                    });
                    "250 ok taken\r\n"
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n").await,
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

fn address(line: &str) -> String {
    line[line.find('<').unwrap() + 1..line.find('>').unwrap()].to_owned()
}

async fn read_mail(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(raw);
        }
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
