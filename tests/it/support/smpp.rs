//! An operator's SMS centre for one client, speaking as much of SMPP 3.4 as Kannel uses, on
//! loopback. It puts parts together, decodes them by the specification alone (none of the product's
//! code), and sends a receipt for every message: undelivered for numbers that end in 7.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BIND_TRANSCEIVER: u32 = 0x0000_0009;
const ENQUIRE_LINK: u32 = 0x0000_0015;
const SUBMIT_SM: u32 = 0x0000_0004;
const DELIVER_SM: u32 = 0x0000_0005;
const UNBIND: u32 = 0x0000_0006;
const RESPONSE: u32 = 0x8000_0000;
const GENERIC_NACK: u32 = 0x8000_0000;
const INVALID_COMMAND: u32 = 3;
/// `esm_class`: the user data begins with a header.
const HAS_HEADER: u8 = 0x40;
/// `esm_class` of a deliver_sm that is a delivery receipt.
const IS_RECEIPT: u8 = 0x04;
/// Tag and length of the optional parameter `more_messages_to_send` (SMPP 3.4, 5.3.2.34).
const MORE_MESSAGES_TO_SEND: [u8; 4] = [0x04, 0x26, 0x00, 0x01];
const PDU_LIMIT_BYTES: usize = 64 * 1024;

/// One whole message, as a handset would show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    /// As it came: absolute or relative time of SMPP, empty when there is none.
    pub(crate) validity: String,
    pub(crate) data_coding: u8,
    pub(crate) parts: usize,
}

/// What the centre has seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) binds: usize,
    pub(crate) messages: Vec<Received>,
}

/// The centre; it ends with this value.
#[derive(Debug)]
pub(crate) struct Centre {
    pub(crate) address: SocketAddr,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Centre {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (say, seen) = watch::channel(Seen::default());
        let say = Arc::new(say);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(link(stream, Arc::clone(&say)));
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    /// Waits until what was seen is enough, and returns it.
    pub(crate) async fn until(&self, enough: impl FnMut(&Seen) -> bool) -> Seen {
        self.seen
            .clone()
            .wait_for(enough)
            .await
            .expect("the centre runs")
            .clone()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

async fn link(mut stream: TcpStream, say: Arc<watch::Sender<Seen>>) -> std::io::Result<()> {
    let mut waiting = Waiting::default();
    let mut number = 0;
    loop {
        let length = stream.read_u32().await? as usize;
        assert!(
            (16..PDU_LIMIT_BYTES).contains(&length),
            "a PDU of {length} bytes"
        );
        let mut pdu = vec![0; length - 4];
        stream.read_exact(&mut pdu).await?;
        let word = |at: usize| u32::from_be_bytes(pdu[at..at + 4].try_into().unwrap());
        let (command, sequence, body) = (word(0), word(8), &pdu[12..]);
        let mut out = Vec::new();
        match command {
            BIND_TRANSCEIVER => {
                put(&mut out, command | RESPONSE, 0, sequence, b"varsel\0");
                say.send_modify(|seen| seen.binds += 1);
            }
            ENQUIRE_LINK | UNBIND => put(&mut out, command | RESPONSE, 0, sequence, b""),
            SUBMIT_SM => {
                number += 1;
                let id = format!("{number:08x}");
                let part = Part::read(body);
                put(
                    &mut out,
                    command | RESPONSE,
                    0,
                    sequence,
                    format!("{id}\0").as_bytes(),
                );
                if part.wants_receipt {
                    put(&mut out, DELIVER_SM, 0, number, &receipt(&part, &id));
                }
                if let Some(message) = waiting.add(part) {
                    say.send_modify(|seen| seen.messages.push(message));
                }
            }
            _ if command & RESPONSE != 0 => {}
            _ => put(&mut out, GENERIC_NACK, INVALID_COMMAND, sequence, b""),
        }
        stream.write_all(&out).await?;
        if command == UNBIND {
            return Ok(());
        }
    }
}

fn put(out: &mut Vec<u8>, command: u32, status: u32, sequence: u32, body: &[u8]) {
    let length = u32::try_from(16 + body.len()).unwrap();
    for word in [length, command, status, sequence] {
        out.extend(word.to_be_bytes());
    }
    out.extend(body);
}

/// One submit_sm.
struct Part {
    from: String,
    to: String,
    validity: String,
    wants_receipt: bool,
    data_coding: u8,
    /// Reference, number of parts, number of this part (counted from 1).
    place: (u16, u8, u8),
    data: Vec<u8>,
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().expect("a whole submit_sm");
        self.0 = rest;
        *first
    }

    fn text(&mut self) -> String {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .expect("a C string ends");
        let text = String::from_utf8(self.0[..end].to_vec()).expect("ASCII");
        self.0 = &self.0[end + 1..];
        text
    }
}

impl Part {
    /// Reads the body of a submit_sm (SMPP 3.4, 4.4.1).
    fn read(body: &[u8]) -> Self {
        let mut fields = Fields(body);
        let _service = fields.text();
        let _source_type = (fields.byte(), fields.byte());
        let from = fields.text();
        let _destination_type = (fields.byte(), fields.byte());
        let to = fields.text();
        let esm_class = fields.byte();
        let _protocol_and_priority = (fields.byte(), fields.byte());
        let _schedule = fields.text();
        let validity = fields.text();
        let registered = fields.byte();
        let _replace = fields.byte();
        let data_coding = fields.byte();
        let _canned = fields.byte();
        let length = usize::from(fields.byte());
        let mut data = fields.0[..length].to_vec();
        // Beside the text Kannel says only whether more parts follow.
        let more = fields.0.get(length..).unwrap_or_default();
        let known = more.is_empty() || more[..4] == MORE_MESSAGES_TO_SEND;
        assert!(known, "an optional parameter of another kind: {more:02x?}");
        let mut place = (0, 1, 1);
        if esm_class & HAS_HEADER != 0 {
            let header: Vec<u8> = data.drain(..=usize::from(data[0])).collect();
            place = concatenation(&header);
        }
        let wants_receipt = registered & 0b11 != 0;
        Self {
            from,
            to,
            validity,
            wants_receipt,
            data_coding,
            place,
            data,
        }
    }
}

/// Reads the one information element we expect (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8).
fn concatenation(header: &[u8]) -> (u16, u8, u8) {
    match *header {
        [5, 0x00, 3, reference, total, number] => (reference.into(), total, number),
        [6, 0x08, 4, high, low, total, number] => (u16::from_be_bytes([high, low]), total, number),
        _ => panic!("a user data header of another kind: {header:02x?}"),
    }
}

/// Parts whose siblings have not come yet.
#[derive(Default)]
struct Waiting(BTreeMap<(String, u16), Vec<Part>>);

impl Waiting {
    fn add(&mut self, part: Part) -> Option<Received> {
        let key = (part.to.clone(), part.place.0);
        let total = usize::from(part.place.1);
        let siblings = self.0.entry(key.clone()).or_default();
        siblings.push(part);
        if siblings.len() < total {
            return None;
        }
        let mut parts = self.0.remove(&key)?;
        parts.sort_by_key(|part| part.place.2);
        assert!(
            parts
                .iter()
                .zip(1..)
                .all(|(part, number)| part.place.2 == number),
            "a part twice"
        );
        let data: Vec<u8> = parts.iter().flat_map(|part| part.data.clone()).collect();
        let first = parts.swap_remove(0);
        let text = match first.data_coding {
            0 => gsm7(&data),
            8 => ucs2(&data),
            other => panic!("data_coding {other} was not expected"),
        };
        let Part {
            from,
            to,
            validity,
            data_coding,
            ..
        } = first;
        Some(Received {
            from,
            to,
            text,
            validity,
            data_coding,
            parts: total,
        })
    }
}

/// A delivery receipt in the customary form of SMPP 3.4, appendix B.
fn receipt(part: &Part, id: &str) -> Vec<u8> {
    let stat = if part.to.ends_with('7') {
        "UNDELIV"
    } else {
        "DELIVRD"
    };
    let text = format!(
        "id:{id} sub:001 dlvrd:001 submit date:2103161400 done date:2103161400 stat:{stat} err:000 text:"
    );
    let mut body = vec![0, 1, 1];
    body.extend(part.to.as_bytes());
    body.extend([0, 0, 1]);
    body.extend(part.from.as_bytes());
    body.extend([0, IS_RECEIPT, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.push(u8::try_from(text.len()).unwrap());
    body.extend(text.as_bytes());
    body
}

/// Septets, one per byte (3GPP TS 23.038, 6.2.1).
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
    ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// What follows an escape (6.2.1.1).
const EXTENSION: &[(u8, char)] = &[
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

fn gsm7(septets: &[u8]) -> String {
    let mut text = String::new();
    let mut septets = septets.iter();
    while let Some(septet) = septets.next() {
        let c = if *septet == 0x1b {
            let next = septets.next().expect("an escape is followed by a septet");
            EXTENSION
                .iter()
                .find(|(code, _)| code == next)
                .expect("a known extension")
                .1
        } else {
            BASIC
                .chars()
                .nth(usize::from(*septet))
                .expect("a septet has seven bits")
        };
        text.push(c);
    }
    text
}

fn ucs2(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).expect("whole surrogate pairs")
}
