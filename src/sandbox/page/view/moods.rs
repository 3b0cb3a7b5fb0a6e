//! What is wrong with the gateways that the sandbox plays, said at the top of the page.

use serde::Serialize;

use crate::sandbox::gateway::GatewayMode;
use crate::sandbox::mail::MailMode;

/// One gateway that does not behave.
#[derive(Serialize)]
pub(super) struct MoodView {
    nb: &'static str,
    en: &'static str,
}

/// What a person must know of the gateways; nothing while both work.
pub(super) fn moods(gateway: GatewayMode, mail: MailMode) -> Vec<MoodView> {
    let sms = match gateway {
        GatewayMode::Normal => None,
        GatewayMode::Slow => Some((
            "SMS-porten er treg: hvert svar tar flere sekunder.",
            "The SMS gateway is slow: each answer takes seconds.",
        )),
        GatewayMode::Failing => Some((
            "SMS-porten er nede: ingen SMS kommer fram, og Varsel prøver igjen.",
            "The SMS gateway is down: no SMS leaves, and Varsel tries again.",
        )),
        GatewayMode::Silent => Some((
            "SMS-porten kvitterer ikke: Varsel vet ikke om SMS kommer fram.",
            "The SMS gateway sends no reports: Varsel does not know whether an SMS arrives.",
        )),
        GatewayMode::Refusing => Some((
            "SMS-porten avviser alt: Varsel går videre til e-post og telefon.",
            "The SMS gateway refuses everything: Varsel goes on to e-mail and phone.",
        )),
    };
    let mail = match mail {
        MailMode::Normal => None,
        MailMode::Failing => Some((
            "E-postserveren er nede: ingen e-post kommer fram, og Varsel prøver igjen.",
            "The mail server is down: no e-mail leaves, and Varsel tries again.",
        )),
        MailMode::Refusing => Some((
            "E-postserveren avviser alt: Varsel går videre til telefon.",
            "The mail server refuses everything: Varsel goes on to the phone.",
        )),
    };
    let found = [sms, mail].into_iter().flatten();
    found.map(|(nb, en)| MoodView { nb, en }).collect()
}
