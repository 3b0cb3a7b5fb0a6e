//! How a mail's bytes go over the wire (RFC 5321): what SMTP can carry, and the dots it doubles.
//!
//! Pure. A mail that breaks the rules is refused here, before a server can read it as two.

/// The longest line without its line end (RFC 5321, 4.5.3.1.6; RFC 5322, 2.1.1).
pub(super) const MAX_LINE_BYTES: usize = 998;

/// Why bytes cannot go through SMTP as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A carriage return or line feed stands alone: servers disagree on whether it ends a line.
    #[error("a line ends with a bare carriage return or line feed")]
    BareLineEnd,
    /// A line is too long.
    #[error("a line is longer than {MAX_LINE_BYTES} bytes")]
    LongLine,
    /// There is a zero byte.
    #[error("it holds a zero byte")]
    ZeroByte,
    /// There is a byte that only some servers pass on. What we build is encoded in ASCII.
    #[error("it holds a byte beyond ASCII")]
    EighthBit,
    /// There is nothing.
    #[error("it is empty")]
    Empty,
}

/// Checks that SMTP can carry a mail unchanged.
///
/// # Errors
/// What is wrong with it, if anything is.
pub(super) fn check(mail: &[u8]) -> Result<(), Unfit> {
    if mail.is_empty() {
        return Err(Unfit::Empty);
    }
    lines(mail).try_for_each(|line| checked(line).map(|_| ()))
}

/// The mail as it is written behind DATA: dots at the start of a line doubled, the last line ended,
/// the final dot not yet there.
///
/// # Errors
/// As [`check`].
pub(super) fn stuffed(mail: &[u8]) -> Result<Vec<u8>, Unfit> {
    if mail.is_empty() {
        return Err(Unfit::Empty);
    }
    let mut out = Vec::with_capacity(mail.len() + 64);
    for line in lines(mail) {
        let line = checked(line)?;
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// The pieces between line feeds, each with its own; an ended last line leaves no empty piece.
fn lines(mail: &[u8]) -> impl Iterator<Item = &[u8]> {
    mail.split_inclusive(|byte| *byte == b'\n')
}

/// One piece without its line end.
fn checked(piece: &[u8]) -> Result<&[u8], Unfit> {
    let line = match piece.strip_suffix(b"\r\n") {
        Some(line) => line,
        None if piece.ends_with(b"\n") => return Err(Unfit::BareLineEnd),
        None => piece,
    };
    if line.contains(&b'\r') {
        return Err(Unfit::BareLineEnd);
    }
    if line.contains(&0) {
        return Err(Unfit::ZeroByte);
    }
    if !line.is_ascii() {
        return Err(Unfit::EighthBit);
    }
    if line.len() > MAX_LINE_BYTES {
        return Err(Unfit::LongLine);
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_leading_dots_and_ends_the_last_line() {
        let stuffed = stuffed(b".a\r\nb.\r\n..\r\n.").unwrap();
        assert_eq!(stuffed, b"..a\r\nb.\r\n...\r\n..\r\n");
    }

    #[test]
    fn refuses_what_a_server_could_read_as_two_mails() {
        for (mail, why) in [
            (&b"a\n.\r\nb"[..], Unfit::BareLineEnd),
            (b"a\r.\r\nb", Unfit::BareLineEnd),
            (b"a\r\n\0", Unfit::ZeroByte),
            ("ø".as_bytes(), Unfit::EighthBit),
            (b"", Unfit::Empty),
            (&[b'x'; MAX_LINE_BYTES + 1], Unfit::LongLine),
        ] {
            assert_eq!(stuffed(mail), Err(why));
            assert_eq!(check(mail), Err(why));
        }
        assert_eq!(check(&[b'x'; MAX_LINE_BYTES]), Ok(()));
    }
}
