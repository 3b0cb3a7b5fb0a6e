//! The line protocol below SMTP and LMTP, on the server's side: commands, replies, and the mail
//! behind `DATA`, each within a limit.
//!
//! It knows no command and stores nothing. A line ends with CRLF and nothing else: a server that
//! also takes a bare LF for an end of line lets one mail hide in another.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest command line with its CRLF (RFC 5321, 4.5.3.1.4, and room for ESMTP parameters).
pub const COMMAND_OCTETS: usize = 2048;
/// How long the other side may be silent (RFC 5321, 4.5.3.2.7 asks for five minutes).
pub const SILENCE_LIMIT: Duration = Duration::from_secs(300);

/// What was read instead of a line or a mail.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The other side hung up.
    #[error("the other side closed the connection")]
    Closed,
    /// It said nothing for too long.
    #[error("the other side was silent for too long")]
    Silent,
    /// A line is longer than the limit; the connection cannot be trusted any more.
    #[error("a line is too long")]
    TooLong,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A mail as it came behind `DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// The bytes, with the dots unstuffed (RFC 5321, 4.5.2).
    Mail(Vec<u8>),
    /// It was larger than the limit; it was read to its end and thrown away.
    TooLarge,
}

/// One connection, line by line.
#[derive(Debug)]
pub struct Lines<S> {
    stream: BufReader<S>,
    answers: Vec<u8>,
    silence: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// Speaks lines over `stream`; the other side may be silent for [`SILENCE_LIMIT`].
    pub fn new(stream: S) -> Self {
        Self::with_silence(stream, SILENCE_LIMIT)
    }

    /// Speaks lines over `stream`; the other side may be silent for so long.
    pub fn with_silence(stream: S, silence: Duration) -> Self {
        Self {
            stream: BufReader::new(stream),
            answers: Vec::new(),
            silence,
        }
    }

    /// The next command line, without its CRLF. Octets that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As the names of [`LineError`] say.
    pub async fn command(&mut self) -> Result<String, LineError> {
        let mut line = self.line(COMMAND_OCTETS).await?;
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// The mail behind a `354`, up to the line that holds one dot.
    ///
    /// # Errors
    /// As the names of [`LineError`] say.
    pub async fn data(&mut self, limit_octets: usize) -> Result<Data, LineError> {
        let mut mail = Vec::new();
        let mut too_large = false;
        loop {
            let line = self.line(limit_octets.max(COMMAND_OCTETS)).await?;
            if line == b".\r\n" {
                break;
            }
            let plain = line.strip_prefix(b".").unwrap_or(&line);
            too_large |= mail.len() + plain.len() > limit_octets;
            if !too_large {
                mail.extend_from_slice(plain);
            }
        }
        Ok(if too_large {
            Data::TooLarge
        } else {
            Data::Mail(mail)
        })
    }

    /// Answers. Answers to commands that came in one piece (PIPELINING, RFC 2920) leave in one piece.
    pub fn reply(&mut self, reply: &str) {
        self.answers.extend_from_slice(reply.as_bytes());
        self.answers.extend_from_slice(b"\r\n");
    }

    /// Sends the answers that wait. Reading does it by itself before it waits.
    ///
    /// # Errors
    /// As the names of [`LineError`] say.
    pub async fn flush(&mut self) -> Result<(), LineError> {
        let socket = self.stream.get_mut();
        let write = socket.write_all(&self.answers);
        let written = tokio::time::timeout(self.silence, write).await;
        written.map_err(|_| LineError::Silent)??;
        self.answers.clear();
        Ok(())
    }

    /// One line with its CRLF. A bare LF does not end it.
    async fn line(&mut self, limit_octets: usize) -> Result<Vec<u8>, LineError> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if self.stream.buffer().is_empty() {
                self.flush().await?;
            }
            let fill = tokio::time::timeout(self.silence, self.stream.fill_buf());
            let piece = fill.await.map_err(|_| LineError::Silent)??;
            if piece.is_empty() {
                return Err(LineError::Closed);
            }
            let end = piece.iter().position(|octet| *octet == b'\n');
            let taken = end.map_or(piece.len(), |at| at + 1);
            if line.len() + taken > limit_octets {
                return Err(LineError::TooLong);
            }
            line.extend_from_slice(&piece[..taken]);
            self.stream.consume(taken);
        }
        Ok(line)
    }
}

/// The address between the angle brackets behind `FROM:` or `TO:`, and the parameters behind it.
#[must_use]
pub fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let said = rest.get(..keyword.len())?;
    let rest = rest.get(keyword.len()..)?.trim_start().strip_prefix('<')?;
    let found = rest.split_once('>')?;
    said.eq_ignore_ascii_case(keyword).then_some(found)
}

/// The size that a client announces among the parameters of `MAIL` (RFC 1870), in octets; 0 where it
/// announces none.
#[must_use]
pub fn announced_size(parameters: &str) -> usize {
    let mut parameters = parameters.split_ascii_whitespace();
    let size = parameters.find_map(|parameter| {
        let parameter = parameter.to_ascii_uppercase();
        parameter.strip_prefix("SIZE=").map(str::to_owned)
    });
    size.map_or(0, |digits| match digits.parse() {
        Ok(size) => size,
        // Longer than any number: larger than any limit.
        Err(_) if digits.bytes().all(|b| b.is_ascii_digit()) => usize::MAX,
        Err(_) => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(sent: &[u8]) -> Lines<tokio::io::DuplexStream> {
        let (mut client, server) = tokio::io::duplex(sent.len().max(1));
        client.write_all(sent).await.unwrap();
        drop(client);
        Lines::new(server)
    }

    #[tokio::test]
    async fn a_mail_ends_at_a_lone_dot_and_loses_its_stuffing() {
        let mut lines = lines(b"one\r\n..two\r\n.\r\nQUIT\r\n").await;
        let mail = lines.data(100).await.unwrap();
        assert_eq!(mail, Data::Mail(b"one\r\n.two\r\n".to_vec()));
        assert_eq!(lines.command().await.unwrap(), "QUIT");
    }

    #[tokio::test]
    async fn a_bare_line_feed_hides_no_end_of_mail() {
        let mut lines = lines(b"one\n.\nMAIL FROM:<x@example.com>\n.\r\n.\r\n").await;
        let mail = lines.data(100).await.unwrap();
        let all = b"one\n.\nMAIL FROM:<x@example.com>\n.\r\n".to_vec();
        assert_eq!(mail, Data::Mail(all));
    }

    #[tokio::test]
    async fn limits_hold_for_lines_and_mails() {
        let long = vec![b'a'; COMMAND_OCTETS + 1];
        let refused = lines(&long).await.command().await;
        assert!(matches!(refused, Err(LineError::TooLong)));
        let mut large = lines(b"12345\r\n12345\r\n.\r\nNOOP\r\n").await;
        assert_eq!(large.data(10).await.unwrap(), Data::TooLarge);
        assert_eq!(large.command().await.unwrap(), "NOOP");
    }

    #[tokio::test]
    async fn an_end_of_line_may_arrive_in_two_pieces() {
        let (mut client, server) = tokio::io::duplex(1);
        let mut lines = Lines::new(server);
        let sent = async {
            client.write_all(b"NOOP\r\n").await.unwrap();
        };
        let (_, command) = tokio::join!(sent, lines.command());
        assert_eq!(command.unwrap(), "NOOP");
    }
}
