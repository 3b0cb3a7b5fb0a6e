//! What verbs print on a terminal and into a pipe: a pseudo-terminal of `script` (bsdutils, on every
//! Debian) stands for the person's.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::house::varsel;
use crate::support::signal;

/// The beginning of every colour and of every other mark for a terminal.
const ESCAPE: char = '\u{1b}';

/// The binary on a pseudo-terminal, with these variables and nothing else of our environment.
fn on_terminal(words: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("script");
    let program = env!("CARGO_BIN_EXE_varsel");
    command
        .args(["-qec", &format!("exec '{program}' {words}"), "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .envs(variables.iter().copied());
    command
}

/// What `check` prints of a fresh default, which has errors, hence colours to show.
fn checked(variables: &[(&str, &str)]) -> String {
    let output = on_terminal("check", variables).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("no booking system is configured"), "{said}");
    said
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let xterm = ("TERM", "xterm-256color");
    assert!(checked(&[xterm]).contains(ESCAPE), "a terminal has colours");
    for off in [&[xterm, ("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
        let said = checked(off);
        assert!(!said.contains(ESCAPE), "{off:?}: {said:?}");
    }
    let mut piped = varsel(&["check"]);
    let piped = piped.env("TERM", "xterm-256color").output().unwrap();
    assert!(
        !piped.stdout.contains(&0x1b),
        "nobody sees colours in a pipe"
    );
}

/// A paragraph is broken where the terminal ends, and nowhere else.
#[test]
fn a_help_text_fills_the_lines_of_its_terminal() {
    let help = on_terminal("wave --help", &[("TERM", "dumb"), ("COLUMNS", "80")]);
    let help = { help }.output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap().replace('\r', "");
    let paragraph = help
        .lines()
        .skip_while(|line| !line.starts_with("The oldest"));
    let lines: Vec<&str> = paragraph.take_while(|line| !line.is_empty()).collect();
    let (_, whole) = lines.split_last().unwrap();
    assert!(whole.len() > 2, "{help}");
    let stumps = whole.iter().filter(|line| line.len() < 60);
    assert_eq!(stumps.count(), 0, "{lines:#?}");
}

#[test]
fn a_demo_shows_its_progress_in_lines_where_nobody_watches() {
    let mut demo = varsel(&["demo", "--once", "--json"]);
    let mut demo = demo
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
    let mut next = || lines.next().expect("it says more").unwrap();
    let first = next();
    assert!(
        first.starts_with("The story of an afternoon is played"),
        "{first}"
    );
    let mut line = first;
    while !line.contains(" people · ") {
        assert!(!line.contains(ESCAPE), "{line:?}");
        line = next();
    }
    assert!(!line.contains(ESCAPE) && !line.contains('\r'), "{line:?}");
    assert!(signal(&demo, "INT"));
    lines.for_each(drop);
    demo.wait().unwrap();
}

#[test]
fn a_demo_draws_a_bar_on_a_terminal() {
    let variables = [("TERM", "xterm-256color")];
    let mut demo = on_terminal("demo --once --json", &variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = demo.stdin.take().unwrap();
    let mut shown = demo.stdout.take().unwrap();
    // A bar is drawn over itself, hence an escape, as soon as it has moved.
    let seen = read_until(&mut demo, &mut shown, &[" people ", "█", "\u{1b}"]);
    assert!(!seen.contains("The story of an afternoon"), "{seen:?}");
    // Ctrl-C, as a person types it.
    keys.write_all(b"\x03").unwrap();
    let mut rest = Vec::new();
    shown.read_to_end(&mut rest).unwrap();
    demo.wait().unwrap();
}

/// What a child shows until all these words have come; the child ends with what it shows.
fn read_until(child: &mut Child, shown: &mut ChildStdout, words: &[&str]) -> String {
    let (mut seen, mut more) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if words.iter().all(|words| text.contains(words)) {
            return text;
        }
        let length = shown.read(&mut more).unwrap();
        assert_ne!(length, 0, "it ended ({:?}): {text}", child.wait());
        seen.extend(&more[..length]);
    }
}
