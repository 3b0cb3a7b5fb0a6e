//! The fields of a `message/delivery-status` part (RFC 3464, 2): one block about the mail, then one
//! for each recipient. Pure, and bounded whatever comes.

use crate::channel::email::reply::Enhanced;

/// Blocks that are read; a mail of ours has one recipient.
const MAX_BLOCKS: usize = 64;
/// Octets that are read, all fields together.
const MAX_OCTETS: usize = 64 * 1024;

/// What became of the mail for one recipient (RFC 3464, 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Failed,
    Delayed,
    Delivered,
    /// `relayed` to a system that gives no notifications, or `expanded` into several.
    PassedOn,
}

/// What is said of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecipientStatus {
    pub(super) action: Action,
    /// The most specific code there is.
    pub(super) code: Option<Enhanced>,
}

/// What the part says of each recipient, in order. A block that says nothing is left out.
pub(super) fn recipients(part: &[u8]) -> Vec<RecipientStatus> {
    let text = String::from_utf8_lossy(&part[..part.len().min(MAX_OCTETS)]);
    let mut statuses = Vec::new();
    for block in blocks(&text).take(MAX_BLOCKS) {
        statuses.extend(status(&block));
    }
    statuses
}

/// A block's fields: names in small letters, values unfolded.
type Block = Vec<(String, String)>;

/// The blocks, parted by blank lines.
fn blocks(text: &str) -> impl Iterator<Item = Block> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        while lines.next_if(|line| line.trim().is_empty()).is_some() {}
        let mut block = Block::new();
        while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
            match (line.starts_with([' ', '\t']), block.last_mut()) {
                // A folded line goes on with the field above it (RFC 5322, 2.2.3).
                (true, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                _ => block.extend(field(line)),
            }
        }
        (!block.is_empty() || lines.peek().is_some()).then_some(block)
    })
}

fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// What a block says, if it is about a recipient. The action decides, not the class of the status:
/// a mail that expired in a queue has failed with 4.4.7, and one that is delayed has not.
fn status(block: &Block) -> Option<RecipientStatus> {
    let value = |name: &str| {
        let found = block.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    };
    let code = value("status").and_then(code);
    let action = match value("action").map(first_word) {
        Some(word) => action(&word)?,
        // The field is mandatory; without it only a final status says anything.
        None => match code?.0 {
            5 => Action::Failed,
            4 => Action::Delayed,
            _ => return None,
        },
    };
    let code = specific(code, value("diagnostic-code").and_then(diagnosed));
    Some(RecipientStatus { action, code })
}

fn action(word: &str) -> Option<Action> {
    Some(match word {
        "failed" => Action::Failed,
        "delayed" => Action::Delayed,
        "delivered" => Action::Delivered,
        "relayed" | "expanded" => Action::PassedOn,
        _ => return None,
    })
}

/// The first word in small letters: comments may follow it.
fn first_word(value: &str) -> String {
    let word = value.split(|c: char| c.is_whitespace() || c == '(' || c == ';');
    word.into_iter()
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// The code at the start of a text, such as `5.1.1 (no such user)`.
fn code(text: &str) -> Option<Enhanced> {
    let class = text.trim_start().chars().next()?.to_digit(10)?;
    let class = u16::try_from(class)
        .ok()
        .filter(|c| matches!(c, 2 | 4 | 5))?;
    Enhanced::read(&first_word(text.trim_start()), class * 100)
}

/// The enhanced code that a server gave in its reply: `smtp; 550 5.2.1 …`, also `550-5.2.1 …`.
fn diagnosed(value: &str) -> Option<Enhanced> {
    let (kind, said) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("smtp") {
        return None;
    }
    let said = said.trim_start();
    code(said.get(4..)?).or_else(|| code(said))
}

/// `X.0.0` says no more than its class does (RFC 3463, 3.1); what the last server replied may.
fn specific(status: Option<Enhanced>, diagnosed: Option<Enhanced>) -> Option<Enhanced> {
    let says_something = |code: &Enhanced| (code.1, code.2) != (0, 0);
    status
        .filter(says_something)
        .or(diagnosed.filter(says_something))
        .or(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(part: &str) -> RecipientStatus {
        let found = recipients(part.as_bytes());
        assert_eq!(found.len(), 1, "{part}");
        found[0]
    }

    #[test]
    fn the_action_decides_and_not_the_class() {
        let expired = one("Reporting-MTA: dns; mx\n\nAction: failed\nStatus: 4.4.1\n");
        assert_eq!(expired.action, Action::Failed);
        assert_eq!(expired.code, Some(Enhanced(4, 4, 1)));
        let delayed = one(
            "Reporting-MTA: dns; mx\r\n\r\nACTION: Delayed (still trying)\r\nStatus: 4.4.1\r\n",
        );
        assert_eq!(delayed.action, Action::Delayed);
    }

    #[test]
    fn the_more_specific_code_is_taken_also_out_of_folded_lines() {
        let part =
            "A: b\n\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550\n 5.2.1 closed\n";
        assert_eq!(one(part).code, Some(Enhanced(5, 2, 1)));
        let part =
            "A: b\n\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: x-unix; 550 5.2.1 closed\n";
        assert_eq!(one(part).code, Some(Enhanced(5, 0, 0)));
        let part =
            "A: b\n\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.2.1 closed\n";
        assert_eq!(one(part).code, Some(Enhanced(5, 1, 1)));
        let part = "A: b\n\nAction: failed\nStatus: gone\nDiagnostic-Code: smtp; 550-5.7.1 æ\n";
        assert_eq!(one(part).code, Some(Enhanced(5, 7, 1)));
    }

    #[test]
    fn what_is_no_status_says_nothing() {
        for part in [
            "",
            "\n\n\n",
            "Reporting-MTA: dns; mx\n",
            "A: b\n\nAction: applauded\nStatus: 5.1.1\n",
            "A: b\n\nStatus: 2.0.0\n",
            "A: b\n\nFinal-Recipient: rfc822; x@example.com\n",
            "no field at all\n\nneither here",
        ] {
            assert_eq!(recipients(part.as_bytes()), [], "{part:?}");
        }
        assert_eq!(one("A: b\n\nStatus: 5.1.1\n").action, Action::Failed);
        assert_eq!(one("A: b\n\nStatus: 4.1.1\n").action, Action::Delayed);
    }

    #[test]
    fn there_is_an_end_to_what_is_read() {
        let many = "Action: failed\n\n".repeat(10 * MAX_BLOCKS);
        assert_eq!(recipients(many.as_bytes()).len(), MAX_BLOCKS);
        let late = [vec![b' '; MAX_OCTETS], b"\n\nAction: failed\n".to_vec()].concat();
        assert_eq!(recipients(&late), []);
    }
}
