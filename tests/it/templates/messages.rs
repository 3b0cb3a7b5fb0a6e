//! Whole messages, as people receive them.

use chrono::{DateTime, Utc};
use varsel::domain::notice::Purpose;
use varsel::domain::reference::Reference;
use varsel::template::Templates;
use varsel::template::samples::samples;

use super::directory::model_case;

/// The afternoon on which the model case begins.
fn now() -> DateTime<Utc> {
    "2021-03-16T13:00:00Z".parse().unwrap()
}

#[test]
fn every_sample_of_the_model_case_has_its_texts() {
    let templates = Templates::load(None).unwrap();
    let directory = model_case();
    let samples = samples(&directory, now());
    assert_eq!(samples.len(), 28);
    for sample in samples {
        let email = templates.email(&sample.telling, &directory, Reference::draw(7));
        assert!(email.is_ok(), "{}: {email:?}", sample.name);
        let sms = templates.sms(&sample.telling, &directory, Reference::draw(7));
        if sample.telling.purpose == Purpose::DigitalInvitation {
            let problem = "there is no text for digital_invitation by sms in nb";
            assert_eq!(sms.unwrap_err().to_string(), problem);
        } else {
            assert!(sms.is_ok(), "{}: {sms:?}", sample.name);
        }
    }
}
