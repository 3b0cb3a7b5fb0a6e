//! Reads Rust source as far as the architecture test needs it: words and punctuation, and which room a path leads to.
//!
//! Not a parser: comments, strings and characters are left out, the rest is words. What it cannot resolve (`crate::*`)
//! it reports as an import that no table allows, rather than overlook it.

/// A use of one room in a file.
#[derive(Debug, PartialEq)]
pub(super) struct Import {
    /// Line, from 1.
    pub(super) line: usize,
    /// The first name after the crate's root.
    pub(super) room: String,
}

/// Words and punctuation with their lines; `::` is one token.
pub(super) fn token_lines(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let length = skipped(rest);
        if length > 0 {
            rest = &rest[length..];
            continue;
        }
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push((line, rest[..length].to_owned()));
        }
        rest = &rest[length..];
    }
    tokens
}

/// The length of the comment, string or character that `rest` starts with; 0 if it starts with none.
fn skipped(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let prefix = ["br", "cr", "r", "b", "c", ""].iter().find(|p| {
        let after = rest.strip_prefix(**p).unwrap_or_default();
        after.starts_with('"')
            || (p.ends_with('r')
                && after.trim_start_matches('#').starts_with('"')
                && after.starts_with('#'))
    });
    match prefix {
        Some(prefix) if prefix.ends_with('r') => raw_string(rest, prefix.len()),
        Some(prefix) => quoted(rest, prefix.len(), '"'),
        None if rest.starts_with('\'') => character(rest),
        None => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn raw_string(rest: &str, prefix: usize) -> usize {
    let hashes = rest[prefix..].chars().take_while(|c| *c == '#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let start = prefix + hashes + 1;
    rest[start..]
        .find(&end)
        .map_or(rest.len(), |at| start + at + end.len())
}

fn quoted(rest: &str, prefix: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(prefix + 1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// A character literal, or 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut inner = rest.chars().skip(1);
    match (inner.next(), inner.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(rest, 0, '\''),
        _ => 0,
    }
}

/// Every room that `text` uses. `module` is the path of the file's module; empty at a crate's root.
pub(super) fn imports(module: &[String], text: &str) -> Vec<Import> {
    let tokens = token_lines(text);
    let word = |at: usize| tokens.get(at).map_or("", |(_, token)| token.as_str());
    let mut found = Vec::new();
    let mut inline: Vec<usize> = Vec::new(); // the brace depths at which inline modules opened
    let mut depth = 0_usize;
    for at in 0..tokens.len() {
        match word(at) {
            "{" => {
                if at >= 2 && word(at - 2) == "mod" {
                    inline.push(depth);
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                inline.pop_if(|opened| *opened == depth);
            }
            "crate" | "varsel" if word(at + 1) == "::" => found.extend(leaves(&tokens, at + 2)),
            "crate" if word(at + 1) == "as" => found.extend(leaves(&tokens, at + 1)),
            "super" if at == 0 || word(at - 1) != "::" || word(at.wrapping_sub(2)) != "super" => {
                let levels = (0..).take_while(|n| word(at + 2 * n) == "super").count();
                if levels >= module.len() + inline.len() {
                    found.extend(leaves(&tokens, at + 2 * levels));
                }
            }
            _ => {}
        }
    }
    found
}

/// The names at `at`: one word, or the heads of a braced group.
fn leaves(tokens: &[(usize, String)], at: usize) -> Vec<Import> {
    let import = |at: usize| Import {
        line: tokens[at].0,
        room: tokens[at].1.clone(),
    };
    match tokens.get(at).map(|(_, token)| token.as_str()) {
        None => Vec::new(),
        Some("{") => {
            let (mut heads, mut depth) = (Vec::new(), 0_usize);
            for here in at..tokens.len() {
                match tokens[here].1.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ if depth == 1 && matches!(tokens[here - 1].1.as_str(), "{" | ",") => {
                        heads.push(import(here));
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            heads
        }
        Some(_) => vec![import(at)],
    }
}
