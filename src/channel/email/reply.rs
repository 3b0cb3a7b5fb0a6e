//! Reads SMTP replies (RFC 5321, 4.2) out of bytes. Pure; it judges nothing.
//!
//! A text-less `250` is a reply. A reply is whole only with its last line end, so that a cut one
//! is never taken for a short one.

/// The most bytes one reply may have, all its lines together.
pub(super) const MAX_REPLY_BYTES: usize = 16 * 1024;

/// One whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The three digits.
    pub(super) code: u16,
    /// The enhanced status code of the last line (RFC 3463), if it starts with one.
    pub(super) enhanced: Option<Enhanced>,
    /// The texts of the lines, without code and line end.
    pub(super) lines: Vec<String>,
}

/// An enhanced status code: class, subject and detail, as in `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enhanced(pub(super) u16, pub(super) u16, pub(super) u16);

impl std::fmt::Display for Enhanced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The bytes are not SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbled;

impl Reply {
    /// The first reply in `bytes` and its length, or `None` while its end is not there yet.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Garbled> {
        let (mut lines, mut length, mut code) = (Vec::new(), 0, None);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = piece.strip_suffix(b"\n") else {
                break;
            };
            length += piece.len();
            let line = Line::read(line.strip_suffix(b"\r").unwrap_or(line)).ok_or(Garbled)?;
            if length > MAX_REPLY_BYTES || code.is_some_and(|code| code != line.code) {
                return Err(Garbled);
            }
            code = Some(line.code);
            let enhanced = Enhanced::read(line.text, line.code);
            lines.push(line.text.to_owned());
            if line.last {
                let code = line.code;
                let reply = Self {
                    code,
                    enhanced,
                    lines,
                };
                return Ok(Some((reply, length)));
            }
        }
        match bytes.len() > MAX_REPLY_BYTES {
            true => Err(Garbled),
            false => Ok(None),
        }
    }

    /// The first digit: 2 done, 3 go on, 4 not now, 5 never.
    pub(super) fn class(&self) -> u16 {
        self.code / 100
    }

    /// The relay's own identifier of an accepted mail, where its text has one we know how to read:
    /// `queued as 4bXYZ` (Postfix), `id=1tXYZ-000` (Exim).
    pub(super) fn queue_id(&self) -> Option<String> {
        let text = self.lines.last()?;
        let id = ["queued as ", "id="]
            .into_iter()
            .find_map(|mark| text.split_once(mark))
            .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default())?;
        let fits = |id: &&str| (1..=64).contains(&id.len()) && id.chars().all(is_id_character);
        Some(id).filter(fits).map(str::to_owned)
    }
}

fn is_id_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

impl Enhanced {
    /// Reads `5.1.1 …`; its class must be that of the code.
    pub(super) fn read(text: &str, code: u16) -> Option<Self> {
        let word = text.split(' ').next()?;
        let mut numbers = word.split('.').map(|part| match part.len() {
            1..=3 if part.bytes().all(|b| b.is_ascii_digit()) => part.parse::<u16>().ok(),
            _ => None,
        });
        let found = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        (numbers.next().is_none() && found.0 == code / 100).then_some(found)
    }
}

/// One line of a reply.
struct Line<'a> {
    code: u16,
    last: bool,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let code: u16 = digits
            .parse()
            .ok()
            .filter(|code| (200..600).contains(code))?;
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            [..] => return None,
        };
        // Texts only inform; one in another character set must not hide its code.
        let text = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        Some(Self { code, last, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &str) -> Reply {
        let (reply, length) = Reply::read(bytes.as_bytes()).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        reply
    }

    #[test]
    fn reads_one_line_many_lines_and_none() {
        assert_eq!(whole("250\r\n").code, 250);
        assert_eq!(whole("250 \r\n").lines, [""]);
        let many = whole("550-no\r\n550 5.1.1 such user\r\n");
        assert_eq!(many.enhanced, Some(Enhanced(5, 1, 1)));
        assert_eq!(many.lines, ["no", "5.1.1 such user"]);
        assert_eq!(whole("250 caf\u{e9}\r\n").code, 250);
        assert_eq!(
            Reply::read(b"250 caf\xe9\r\n").unwrap().unwrap().0.code,
            250
        );
    }

    #[test]
    fn every_cut_reply_is_incomplete_never_shorter() {
        let text = b"250-first\r\n250-second\r\n250 2.0.0 last\r\n";
        for cut in 0..text.len() {
            assert_eq!(Reply::read(&text[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_smtp_is_said_so() {
        for bytes in [
            &b"HTTP/1.1 400\r\n"[..],
            b"25\r\n",
            b"250x\r\n",
            b"250-a\r\n550 b\r\n",
            b"150 a\r\n",
            b"999 a\r\n",
            b"+50 a\r\n",
            b"\r\n",
        ] {
            assert_eq!(Reply::read(bytes), Err(Garbled), "{bytes:?}");
        }
        assert_eq!(Reply::read(&[b'2'; MAX_REPLY_BYTES + 1]), Err(Garbled));
    }

    #[test]
    fn an_enhanced_code_belongs_to_its_class() {
        assert_eq!(whole("550 5.7.1 no\r\n").enhanced, Some(Enhanced(5, 7, 1)));
        for text in [
            "550 4.7.1 no\r\n",
            "550 5.7 no\r\n",
            "550 5.7.1.2 no\r\n",
            "550 5.+7.1\r\n",
        ] {
            assert_eq!(whole(text).enhanced, None, "{text}");
        }
    }

    #[test]
    fn queue_ids_of_known_relays() {
        let id = |text: &str| whole(text).queue_id();
        assert_eq!(
            id("250 2.0.0 Ok: queued as 4bXY9z\r\n").as_deref(),
            Some("4bXY9z")
        );
        assert_eq!(
            id("250 OK id=1tXYZ-00Ab-C3\r\n").as_deref(),
            Some("1tXYZ-00Ab-C3")
        );
        assert_eq!(id("250 Ok\r\n"), None);
        assert_eq!(id("250\r\n"), None);
        assert_eq!(id("250 queued as <a@example.org>\r\n"), None);
    }
}
