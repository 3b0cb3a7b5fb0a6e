//! The files behind the texts: where they come from, what they are called, and what is written in
//! them beyond the template language.
//!
//! Two conveniences for the people who write: `[name]` puts in blocks/name.LANGUAGE.txt, and a line
//! that holds nothing but one `{% ... %}` or `{# ... #}` leaves no empty line behind. Both keep the
//! number of every line, so that a fault's line is the line in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Place, TemplateFault, embedded};
use crate::domain::deception::{Deceptive, deceptive};
use crate::domain::language::Language;
use crate::domain::message::Channel;
use crate::domain::notice::Purpose;

/// No text is longer, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// No folder of texts holds more files.
const MAX_FILES: usize = 1000;

/// One file as its writers see it.
pub(super) struct Source {
    /// Where it stands.
    pub(super) path: PathBuf,
    /// What is written in it.
    pub(super) text: String,
}

impl Source {
    /// Where `needle` stands first.
    pub(super) fn place_of(&self, needle: &str) -> Option<Place> {
        let mut lines = self.text.lines().enumerate();
        lines.find_map(|(at, line)| Some(place(at, line, line.find(needle)?)))
    }

    /// Where `word` stands first as a whole word.
    pub(super) fn place_of_word(&self, word: &str) -> Option<Place> {
        let mut lines = self.text.lines().enumerate();
        lines.find_map(|(at, line)| Some(place(at, line, whole_word(line, word)?)))
    }

    /// Where the engine found an error: on its line, at the words it points to. The engine reads
    /// the text with blocks put in and line breaks swallowed, so the words are looked for.
    pub(super) fn place_of_error(&self, prepared: &str, error: &minijinja::Error) -> Option<Place> {
        let at = error.line()?;
        let line = self.text.lines().nth(at.checked_sub(1)?);
        let words = error.range().and_then(|range| prepared.get(range));
        let words = words.and_then(|words| words.lines().next()).map(str::trim);
        let column = words.filter(|words| !words.is_empty()).and_then(|words| {
            let line = line?;
            whole_word(line, words).or_else(|| line.find(words))
        });
        Some(match (line, column) {
            (Some(line), Some(column)) => place(at - 1, line, column),
            _ => Place {
                line: at,
                column: None,
            },
        })
    }

    /// The first character that deceives readers, with its place.
    pub(super) fn deceptive(&self) -> Option<(Place, Deceptive)> {
        let mut lines = self.text.lines().enumerate();
        lines.find_map(|(at, line)| {
            let found = deceptive(line)?;
            Some((place(at, line, found.offset), found))
        })
    }

    /// The words that look like a link and are allowed: the header
    /// `{# allow_links = politiet.no, norge.no #}`.
    pub(super) fn allowed_links(&self) -> Vec<&str> {
        let header = self.text.lines().find_map(|line| {
            let inside = line.trim().strip_prefix("{#")?.strip_suffix("#}")?;
            let (key, links) = inside.split_once('=')?;
            (key.trim() == "allow_links").then_some(links)
        });
        let links = header.unwrap_or_default().split(',');
        links
            .map(str::trim)
            .filter(|link| !link.is_empty())
            .collect()
    }

    /// The line from which most of `rendered` comes: the one with the most fixed words in it.
    pub(super) fn line_behind(&self, rendered: &str) -> Option<Place> {
        let weight = |line: &str| {
            let words = fixed_words(line);
            let (there, missing): (Vec<&String>, Vec<&String>) = words
                .iter()
                .partition(|word| rendered.contains(word.as_str()));
            let length = |words: Vec<&String>| words.into_iter().map(String::len).sum::<usize>();
            length(there).saturating_sub(length(missing))
        };
        let weighed = self.text.lines().enumerate();
        let weighed = weighed.map(|(at, line)| (weight(line), at + 1));
        let heaviest = weighed.max_by_key(|(weight, line)| (*weight, usize::MAX - line))?;
        (heaviest.0 > 0).then_some(Place {
            line: heaviest.1,
            column: None,
        })
    }

    /// How many parts an SMS may cost in this language: the header `{# max_parts = 2 #}`, or 1.
    pub(super) fn max_parts(&self) -> Result<usize, TemplateFault> {
        let Some((at, line)) = self
            .text
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains("max_parts"))
        else {
            return Ok(1);
        };
        let number = line.split_once('=').map(|(_, rest)| rest.trim());
        let digits = number.and_then(|n| n.split(|c: char| !c.is_ascii_digit()).next());
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(parts @ 1..=10) => Ok(parts),
            _ => Err(TemplateFault {
                file: self.path.clone(),
                place: Some(place(at, line, line.find("max_parts").unwrap_or_default())),
                problem: "max_parts is a number from 1 to 10: {# max_parts = 2 #}".to_owned(),
                warning: false,
                remedy: None,
            }),
        }
    }
}

/// The place of a byte offset in a line; `at` counts lines from 0.
fn place(at: usize, line: &str, offset: usize) -> Place {
    let before = line.get(..offset).unwrap_or(line);
    Place {
        line: at + 1,
        column: Some(before.chars().count() + 1),
    }
}

/// Where `word` stands first in a line, not as a part of a longer word.
fn whole_word(line: &str, word: &str) -> Option<usize> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).unwrap_or_default();
        let after = line.get(at + word.len()..).unwrap_or_default();
        !before.ends_with(in_word) && !after.starts_with(in_word)
    })
}

/// The name of the text of a purpose.
pub(super) fn text_name(purpose: Purpose, language: Language, channel: Channel) -> String {
    format!("{}/{language}.{}.txt", purpose.word(), channel.word())
}

/// The name of a block.
pub(super) fn block_name(block: &str, language: Language) -> String {
    format!("blocks/{block}.{language}.txt")
}

/// The texts by name, and what was left aside on the way to them.
pub(super) struct Gathered {
    /// The texts.
    pub(super) sources: BTreeMap<String, Source>,
    /// A warning for each file that is somebody's copy and no text.
    pub(super) strays: Vec<TemplateFault>,
}

/// The built-in files, and above them those of `folder`, by name.
pub(super) fn gather(folder: Option<&Path>) -> Result<Gathered, Vec<TemplateFault>> {
    let built_in = embedded::TEXTS.iter().map(|(name, text)| {
        let source = Source {
            path: Path::new("templates").join(name),
            text: (*text).to_owned(),
        };
        ((*name).to_owned(), source)
    });
    let mut gathered = Gathered {
        sources: built_in.collect(),
        strays: Vec::new(),
    };
    let mut faults = Vec::new();
    for path in folder
        .map_or(Ok(Vec::new()), files)
        .map_err(|fault| vec![fault])?
    {
        if is_stray(&path) {
            gathered.strays.push(stray(&path));
            continue;
        }
        match read(folder.unwrap_or(Path::new("")), &path) {
            Ok((name, source)) => {
                gathered.sources.insert(name, source);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(gathered)
    } else {
        faults.extend(gathered.strays);
        Err(faults)
    }
}

/// The files one level below a folder, and the texts that lie in the folder itself, where no message
/// looks for them.
fn files(folder: &Path) -> Result<Vec<PathBuf>, TemplateFault> {
    let (folders, beside): (Vec<_>, Vec<_>) =
        listing(folder)?.into_iter().partition(|path| path.is_dir());
    let is_text = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "txt");
    let mut found: Vec<PathBuf> = beside.into_iter().filter(is_text).collect();
    // Expectations stand beside the texts, and no message uses them.
    let texts = |path: &PathBuf| !is_stray(path) && !path.ends_with("expectations");
    for directory in folders.into_iter().filter(texts) {
        found.extend(
            listing(&directory)?
                .into_iter()
                .filter(|path| path.is_file()),
        );
        if found.len() > MAX_FILES {
            let problem = format!("holds more than {MAX_FILES} files; is this the right folder?");
            return Err(fault(folder, problem));
        }
    }
    found.sort();
    Ok(found)
}

fn listing(folder: &Path) -> Result<Vec<PathBuf>, TemplateFault> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| fault(folder, format!("cannot be read: {error}")))?;
    let paths = entries
        .take(MAX_FILES)
        .filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.collect())
}

/// What editors and package managers leave beside a file.
const STRAY_ENDINGS: [&str; 10] = [
    "~",
    ".bak",
    ".old",
    ".orig",
    ".rej",
    ".save",
    ".swp",
    ".tmp",
    ".dpkg-new",
    ".dpkg-old",
];

/// Whether a file is hidden, or a copy that a program left there: nobody believes that it counts.
fn is_stray(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(['.', '#']) || STRAY_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn stray(path: &Path) -> TemplateFault {
    TemplateFault {
        remedy: Some("remove it, or keep it outside the folder of templates".to_owned()),
        warning: true,
        ..fault(
            path,
            "is a copy or a hidden file, and no text: it is left aside".to_owned(),
        )
    }
}

fn read(folder: &Path, path: &Path) -> Result<(String, Source), TemplateFault> {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let name = below.to_string_lossy().replace('\\', "/");
    check_name(&name).map_err(|problem| fault(path, problem))?;
    let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
    if size > MAX_FILE_BYTES {
        return Err(fault(
            path,
            format!("is longer than {MAX_FILE_BYTES} bytes"),
        ));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| fault(path, format!("cannot be read as UTF-8: {error}")))?;
    let source = Source {
        path: path.to_owned(),
        text: text.replace("\r\n", "\n"),
    };
    Ok((name, source))
}

/// Refuses a file that no message would ever use: its writer believes that it counts.
fn check_name(name: &str) -> Result<(), String> {
    if language_of(name).is_some() && name.starts_with("blocks/") {
        return Ok(());
    }
    let mut known = Vec::new();
    for purpose in Purpose::ALL {
        for language in Language::ALL {
            for channel in [Channel::Sms, Channel::Email] {
                known.push(text_name(*purpose, language, channel));
            }
        }
    }
    if known.iter().any(|candidate| candidate == name) {
        return Ok(());
    }
    let near = nearest(name, known.iter().map(String::as_str));
    Err(format!(
        "no message uses a file of this name; did you mean {near}, or blocks/NAME.LANGUAGE.txt?"
    ))
}

/// The language a file is written in, by its name.
pub(super) fn language_of(name: &str) -> Option<Language> {
    let file = name.rsplit('/').next()?.strip_suffix(".txt")?;
    let mut words = file.split('.');
    match (
        name.starts_with("blocks/"),
        words.next(),
        words.next(),
        words.next(),
    ) {
        (true, Some(_), Some(tag), None) | (false, Some(tag), Some(_), None) => tag.parse().ok(),
        _ => None,
    }
}

/// The text as the template engine compiles it.
///
/// A block is wrapped in a filter that takes the last line break away, so that it can stand inside
/// a sentence.
pub(super) fn prepare(
    name: &str,
    sources: &BTreeMap<String, Source>,
) -> Result<String, TemplateFault> {
    let source = &sources[name];
    let language = language_of(name);
    let mut prepared = String::with_capacity(source.text.len() * 2);
    let is_block = name.starts_with("blocks/");
    if is_block {
        prepared.push_str("{% filter chomp %}");
    }
    for (at, written) in source.text.lines().enumerate() {
        let line = with_blocks(written, language, sources).map_err(|problem| TemplateFault {
            file: source.path.clone(),
            place: Some(place(at, written, problem.0)),
            problem: problem.1,
            warning: false,
            remedy: None,
        })?;
        prepared.push_str(&swallow_line_break(&line));
    }
    if is_block {
        prepared.push_str("{% endfilter %}");
    }
    Ok(prepared)
}

/// Puts an include in the place of each `[name]`.
fn with_blocks(
    line: &str,
    language: Option<Language>,
    sources: &BTreeMap<String, Source>,
) -> Result<String, (usize, String)> {
    let mut done = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let inside = after.split_once(']').filter(|(name, _)| {
            name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_name)
        });
        done.push_str(before);
        let Some((block, tail)) = inside else {
            done.push('[');
            rest = after;
            continue;
        };
        let Some(language) = language else {
            let offset = line.len() - after.len();
            return Err((offset, "the file's name says no language".to_owned()));
        };
        let file = block_name(block, language);
        if !sources.contains_key(&file) {
            let ending = format!(".{language}.txt");
            let known = sources
                .keys()
                .filter_map(|name| name.strip_prefix("blocks/")?.strip_suffix(ending.as_str()));
            let near = nearest(block, known);
            let problem = format!(
                "there is no block [{block}] in {language} (templates/{file}); did you mean [{near}]?"
            );
            return Err((line.len() - after.len(), problem));
        }
        done.push_str(&format!("{{% include \"{file}\" %}}"));
        rest = tail;
    }
    done.push_str(rest);
    Ok(done)
}

/// The line with its line break; the break stands in a comment where the line is one bare tag.
fn swallow_line_break(line: &str) -> String {
    let bare = line.trim();
    let one = |open: &str, close: &str| {
        bare.starts_with(open) && bare.ends_with(close) && bare.matches(open).count() == 1
    };
    if one("{%", "%}") && !bare.contains("{% include ") {
        format!("{bare}{{#\n#}}")
    } else if one("{#", "#}") {
        format!("{}\n#}}", bare.trim_end_matches("#}"))
    } else {
        format!("{line}\n")
    }
}

/// The words of a line that stand in every text made from it.
fn fixed_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    // A block stands for other words.
    let line = line.replace('[', "{{").replace(']', "}}");
    let mut rest = line.as_str();
    while let Some(open) = rest
        .find("{{")
        .into_iter()
        .chain(rest.find("{%"))
        .chain(rest.find("{#"))
        .min()
    {
        words.push(rest.get(..open).unwrap_or_default());
        let inside = rest.get(open + 2..).unwrap_or_default();
        let close = ["}}", "%}", "#}"]
            .iter()
            .filter_map(|end| inside.find(end))
            .min();
        rest = close
            .and_then(|end| inside.get(end + 2..))
            .unwrap_or_default();
    }
    words.push(rest);
    let long_enough = |word: &&str| word.len() >= 3;
    words
        .into_iter()
        .map(str::trim)
        .filter(long_enough)
        .map(str::to_owned)
        .collect()
}

/// The known name that is written most like `name`.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate));
    near.unwrap_or("nothing, for none is known").to_owned()
}

fn fault(path: &Path, problem: String) -> TemplateFault {
    TemplateFault {
        file: path.to_owned(),
        place: None,
        problem,
        warning: false,
        remedy: None,
    }
}
