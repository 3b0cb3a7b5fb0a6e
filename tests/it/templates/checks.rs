//! Every check, each against a text that it must refuse with file and line.

use std::path::Path;

use varsel::config::directory::{MODEL_CASE, parse};
use varsel::domain::directory::Directory;
use varsel::domain::language::{Language, LanguagePair};
use varsel::template::{TemplateFault, Templates};

use super::directory::model_case;

const NB_EN: LanguagePair = LanguagePair {
    first: Language::Nb,
    second: Some(Language::En),
};

/// A folder of texts that replaces some of the built-in ones.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    /// The faults as people read them, the folder's own path left out.
    fn told(&self, faults: &[TemplateFault]) -> Vec<String> {
        let own = format!("{}/", self.0.path().display());
        let told = |fault: &TemplateFault| {
            let warning = if fault.warning { "warning: " } else { "" };
            format!("{warning}{}", fault.to_string().replace(&own, ""))
        };
        faults.iter().map(told).collect()
    }

    fn refused_at_load(&self) -> Vec<String> {
        let Err(faults) = Templates::load(Some(self.0.path())) else {
            panic!("the texts were loaded");
        };
        self.told(&faults)
    }

    fn errors(&self, directory: &Directory, languages: LanguagePair) -> Vec<String> {
        let templates =
            Templates::load(Some(self.0.path())).unwrap_or_else(|faults| panic!("{faults:?}"));
        let faults = templates.check(directory, languages);
        let errors: Vec<_> = faults.into_iter().filter(|fault| !fault.warning).collect();
        self.told(&errors)
    }
}

fn built_in(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// What the checks say of one built-in text with something replaced in it.
fn errors_of(name: &str, from: &str, to: &str) -> Vec<String> {
    let text = built_in(name);
    assert!(text.contains(from), "{name} lacks {from:?}");
    let folder = Folder::with(&[(name, &text.replacen(from, to, 1))]);
    folder.errors(&model_case(), NB_EN)
}

#[test]
fn the_model_case_has_warnings_alone() {
    let templates = Templates::load(None).unwrap();
    let faults = templates.check(&model_case(), NB_EN);
    assert!(faults.iter().all(|fault| fault.warning), "{faults:#?}");
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("model-case-warnings", told.join("\n"));
    // Who copies it has no price to accept, in whatever languages; what the agency must say is theirs.
    let faults = templates.check_pairs(&model_case(), None);
    let told_of = |fault: &TemplateFault| fault.problem.contains("stay_note");
    assert!(faults.iter().all(told_of), "{faults:#?}");
}

#[test]
fn a_name_that_costs_a_part_more_is_told_until_the_price_is_accepted() {
    let templates = Templates::load(None).unwrap();
    let careful = MODEL_CASE.replace("sms_parts = 2", "sms_parts = 1");
    let directory = parse(&careful, Path::new("offices.toml")).unwrap();
    let faults = templates.check(&directory, NB_EN);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("model-case-prices", told.join("\n"));
    let remedies = faults.iter().filter_map(|fault| fault.remedy.as_deref());
    assert!(remedies.skip(1).all(|help| help.contains("sms_parts = ")));
    let refused = MODEL_CASE.replacen("sms_parts = 2", "sms_parts = 0", 1);
    let faults = parse(&refused, Path::new("offices.toml")).unwrap_err();
    assert!(faults[0].key.ends_with("sms_parts"), "{faults:?}");
}

#[test]
fn a_syntax_error_names_its_line() {
    let folder = Folder::with(&[(
        "reinstatement/nb.sms.txt",
        "{# max_parts = 1 #}\n{% if abroad %}\nGjelder likevel: {{ service }\n{% endif %}\n",
    )]);
    let told = folder.refused_at_load();
    assert!(
        told[0].starts_with("reinstatement/nb.sms.txt:3:29: "),
        "{told:?}"
    );
    let folder = Folder::with(&[("change/en.sms.txt", "{% if abroad %}\nMoved\n")]);
    let told = folder.refused_at_load();
    assert!(told[0].starts_with("change/en.sms.txt:"), "{told:?}");
}

#[test]
fn an_unknown_block_is_refused() {
    let folder = Folder::with(&[("change/en.email.txt", "Subject: Moved\n\n[genuin]\n")]);
    assert_eq!(
        folder.refused_at_load(),
        ["change/en.email.txt:3:2: there is no block [genuin] in en \
          (templates/blocks/genuin.en.txt); did you mean [genuine]?"]
    );
}

#[test]
fn a_file_that_no_message_uses_is_refused() {
    let folder = Folder::with(&[("cancelation/nb.sms.txt", "Avlyst")]);
    assert_eq!(
        folder.refused_at_load(),
        [
            "cancelation/nb.sms.txt: no message uses a file of this name; did you mean \
          cancellation/nb.sms.txt, or blocks/NAME.LANGUAGE.txt?"
        ]
    );
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let folder = Folder::with(&[]);
    let path = folder.0.path().join("change");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("nb.sms.txt"), b"Flyttet: \xe6\xf8\xe5").unwrap();
    let told = folder.refused_at_load();
    assert!(
        told[0].starts_with("change/nb.sms.txt: cannot be read as UTF-8"),
        "{told:?}"
    );
    let missing = Templates::load(Some(Path::new("/nowhere/at/all")));
    assert!(missing.is_err());
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest_name() {
    assert_eq!(
        errors_of("cancellation/nb.sms.txt", "{{ to }}", "{{ too }}"),
        ["cancellation/nb.sms.txt:25:61: unknown variable \"too\"; did you mean \"to\"?"]
    );
    assert_eq!(
        errors_of("blocks/critical.en.txt", "critical_line", "critical_lime"),
        [
            "blocks/critical.en.txt:2:7: unknown variable \"critical_lime\"; did you mean \"critical_line\"?"
        ]
    );
}

#[test]
fn a_language_without_a_text_is_refused() {
    let folder = Folder::with(&[]);
    let sami = LanguagePair {
        first: Language::Se,
        second: Some(Language::Nb),
    };
    let told = folder.errors(&model_case(), sami);
    let expected = "templates/cancellation/se.sms.txt: there is no text in se; every language in use needs one";
    assert!(told.contains(&expected.to_owned()), "{told:#?}");
    assert_eq!(told.len(), 15, "{told:#?}");
}

#[test]
fn every_pair_of_languages_in_use_is_checked() {
    // Nynorsk is nobody's second language here; still it must agree with English.
    let text = built_in("cancellation/nn.sms.txt").replacen("etter {{ to }}.", "seinare.", 1);
    let folder = Folder::with(&[("cancellation/nn.sms.txt", &text)]);
    let templates = Templates::load(Some(folder.0.path())).unwrap_or_else(|f| panic!("{f:?}"));
    let faults = templates.check_pairs(&model_case(), Some(Language::En));
    let errors: Vec<_> = faults.into_iter().filter(|fault| !fault.warning).collect();
    assert_eq!(
        folder.told(&errors),
        [
            "cancellation/nn.sms.txt: nn never says {{ to }} where en (line 3) does; both languages must say the same"
        ]
    );
}

#[test]
fn figures_written_into_one_language_must_stand_in_the_other() {
    let told = errors_of(
        "blocks/genuine.en.txt",
        "How to know",
        "Call 22 34 21 00. How to know",
    );
    let expected = "templates/cancellation/nb.email.txt: nb never says \"22342100\" where en does; both languages must say the same";
    assert!(told.contains(&expected.to_owned()), "{told:?}");
}

#[test]
fn a_letter_that_only_looks_latin_is_refused_at_its_place() {
    let told = errors_of("change/en.sms.txt", "Moved", "M\u{43e}ved");
    assert_eq!(
        told,
        [
            "change/en.sms.txt:5:2: the text has \"\u{43e}\" (U+043E), which is not a Latin letter \
          but may look like one; write the Latin one"
        ]
    );
    let told = errors_of("change/en.sms.txt", "New place", "New\u{202e} place");
    assert!(
        told[0].contains("U+202E, which turns the direction"),
        "{told:?}"
    );
}

#[test]
fn a_link_may_be_allowed_in_the_head_of_a_text() {
    let text = built_in("change/nb.sms.txt").replacen("Møt ved", "Se norge.no. Møt ved", 1);
    let allowed = text.replacen(
        "{# max_parts = 1 #}",
        "{# max_parts = 2 #}\n{# allow_links = politiet.no, norge.no #}",
        1,
    );
    let folder = Folder::with(&[("change/nb.sms.txt", &allowed)]);
    let nb = LanguagePair {
        first: Language::Nb,
        second: None,
    };
    assert_eq!(folder.errors(&model_case(), nb), Vec::<String>::new());
}

#[test]
fn an_sms_above_its_parts_is_refused_at_its_line() {
    let longer = "etter {{ to }}, men ikke før det, for da er ingen her.";
    assert_eq!(
        errors_of("cancellation/nb.sms.txt", "etter {{ to }}.", longer),
        ["cancellation/nb.sms.txt:25: the SMS can take 2 parts (195 septets), and 1 are allowed"]
    );
}

#[test]
fn a_text_without_a_header_may_take_one_part() {
    let text = built_in("cancellation/nb.sms.txt");
    let longer = "etter {{ to }}, men ikke før det, for da er ingen her.";
    let bare = text
        .replacen("{# max_parts = 1 #}", "{# nothing is said here #}", 1)
        .replacen("etter {{ to }}.", longer, 1);
    assert!(!bare.contains("max_parts"), "{bare}");
    let folder = Folder::with(&[("cancellation/nb.sms.txt", &bare)]);
    assert_eq!(
        folder.errors(&model_case(), NB_EN),
        ["cancellation/nb.sms.txt:25: the SMS can take 2 parts (195 septets), and 1 are allowed"]
    );
}

#[test]
fn the_header_raises_the_limit() {
    let text = built_in("cancellation/nb.sms.txt");
    let longer = "etter {{ to }}, men ikke før det, for da er ingen her.";
    let longer = text.replacen("etter {{ to }}.", longer, 1);
    let raised = longer.replacen("max_parts = 1", "max_parts = 2", 1);
    let folder = Folder::with(&[("cancellation/nb.sms.txt", &raised)]);
    assert_eq!(folder.errors(&model_case(), NB_EN), Vec::<String>::new());
    assert_eq!(
        errors_of(
            "cancellation/nb.sms.txt",
            "max_parts = 1",
            "max_parts = many"
        ),
        ["cancellation/nb.sms.txt:1:4: max_parts is a number from 1 to 10: {# max_parts = 2 #}"]
    );
}

#[test]
fn the_character_that_costs_most_is_named() {
    let told = errors_of("reinstatement/en.sms.txt", "Ignore", "(čáhci) Ignore");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("reinstatement/en.sms.txt:2:222: the SMS can take 3 parts"),
        "{told:?}"
    );
    assert!(
        told[0].ends_with("and 1 are allowed; \"á\", \"č\" cost most: write without"),
        "{told:?}"
    );
}

#[test]
fn typography_costs_nothing_since_it_is_folded() {
    let told = errors_of("reinstatement/en.sms.txt", "On again:", "On again –");
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn two_languages_that_differ_are_refused() {
    assert_eq!(
        errors_of(
            "cancellation/en.sms.txt",
            "Rebook after {{ to }}.",
            "Rebook later."
        ),
        [
            "cancellation/en.sms.txt: en never says {{ to }} where nb (line 25) does; both languages must say the same"
        ]
    );
    let told = errors_of("blocks/stay.en.txt", "{{ stay_note }}", "see our website");
    let expected = "templates/cancellation/en.email.txt: en never says {{ stay_note }} where nb does; both languages must say the same";
    assert!(told.contains(&expected.to_owned()), "{told:?}");
}

#[test]
fn a_link_in_an_sms_is_refused() {
    for link in ["politiet.no", "https://varsel.example/x", "www.politiet.no"] {
        let told = errors_of(
            "change/nb.sms.txt",
            "Møt ved",
            &format!("Se {link}. Møt ved"),
        );
        let problem =
            "looks like a link; no SMS holds one, so that people can tell ours from fraud";
        assert!(
            told.iter()
                .any(|t| t.starts_with("change/nb.sms.txt:9:") && t.ends_with(problem)),
            "{told:?}"
        );
    }
}

#[test]
fn what_only_shows_when_rendered_is_refused_too() {
    let told = errors_of(
        "change/nb.email.txt",
        "{{ service }}",
        "{{ service | uper }}",
    );
    assert!(
        told[0].starts_with("change/nb.email.txt:41:25: "),
        "{told:?}"
    );
    assert!(told[0].contains("uper"), "{told:?}");
    let told = errors_of("change/nb.email.txt", "{{ service }}", "{{ abroad }}");
    assert_eq!(
        told[0],
        "change/nb.email.txt:41:15: this is a condition for {% if %}, not a text to print"
    );
    let told = errors_of("change/nb.email.txt", "| Gjelder: ", "| Gjelder ");
    assert!(told[0].contains("must read \"| Label: value\""), "{told:?}");
    let told = errors_of("reinstatement/en.email.txt", "Subject: ", "");
    assert_eq!(
        told[0],
        "reinstatement/en.email.txt: the first line of an e-mail must be \"Subject: ...\""
    );
    let told = errors_of("cancellation/nb.email.txt", "[window]", "Fra {{ from }}.");
    let expected = "cancellation/nb.email.txt:131:8: no closing covers the appointment";
    assert!(told.contains(&expected.to_owned()), "{told:?}");
}

#[test]
fn a_loop_without_end_is_refused() {
    let endless =
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}Spørsmål";
    let told = errors_of("reinstatement/nb.sms.txt", "Spørsmål", endless);
    assert_eq!(
        told[0],
        "reinstatement/nb.sms.txt:2: the text takes more than 50000 steps"
    );
}

#[test]
fn what_the_directory_lacks_for_a_text_is_an_error() {
    let mut directory = model_case();
    let office = directory.offices.get_mut(&"furuset".into()).unwrap();
    office.name_sms.0.remove(&Language::En);
    let told = Folder::with(&[]).errors(&directory, NB_EN);
    assert!(!told.is_empty());
    let problem = "office \"furuset\" has no name_sms in en";
    assert!(
        told.iter().all(|fault| fault.ends_with(problem)),
        "{told:?}"
    );
}

#[test]
fn a_long_name_is_a_warning() {
    let mut directory = model_case();
    let service = directory.services.get_mut(&"passport".into()).unwrap();
    let name = service.name.0.get_mut(&Language::Nb).unwrap();
    "pass med en altfor lang betegnelse".clone_into(name);
    let templates = Templates::load(None).unwrap();
    let faults = templates.check(&directory, NB_EN);
    let about = |fault: &&TemplateFault| {
        fault
            .problem
            .starts_with("with service \"passport\" at office")
    };
    let found: Vec<_> = faults.iter().filter(about).collect();
    assert!(found.len() >= 3, "{faults:#?}");
    assert!(
        found
            .iter()
            .all(|fault| fault.warning && fault.place.is_some()),
        "{found:#?}"
    );
}
