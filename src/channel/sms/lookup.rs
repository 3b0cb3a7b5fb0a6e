//! How a gateway is asked whether it knows a message: a GET with our key, read by a table of the
//! profile's own. It changes nothing at the gateway, so it may be asked again.

use std::time::Duration;

use reqwest::header::HeaderName;
use reqwest::{Method, Url};

use super::answer::{Answer, Table};
use super::placeholder::{Facts, Fill};
use super::request::{Body, Form};
use crate::domain::outcome::{Blame, Outcome};

/// The compiled table `lookup` of a profile.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    /// On the host of the gateway's address.
    pub(super) path: Fill,
    pub(super) query: Vec<(String, Fill)>,
    pub(super) headers: Vec<(HeaderName, Fill)>,
    pub(super) table: Table,
    /// For so long it is asked.
    pub(super) within: Duration,
}

impl Lookup {
    /// The request, to the host of `address`.
    pub(super) fn build(
        &self,
        address: &Url,
        facts: &Facts<'_>,
    ) -> Result<reqwest::Request, String> {
        let form = Form {
            method: Method::GET,
            url: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: Body::None,
        };
        form.build_below(Some(address), facts)
    }

    /// Every compiled text of the question.
    pub(super) fn fills(&self) -> Vec<&Fill> {
        let pairs = self.query.iter().map(|(_, fill)| fill);
        let headers = self.headers.iter().map(|(_, fill)| fill);
        std::iter::once(&self.path)
            .chain(pairs)
            .chain(headers)
            .collect()
    }

    /// What the answer means: `accepted` where the gateway knows the message, `not_sent` where it
    /// certainly does not, else `unknown`. A gateway that lets nobody in has not answered, and an
    /// answer that broke off says nothing: the question can be asked again.
    pub(super) fn read(&self, answer: &Answer) -> Outcome {
        if answer.body.is_none() {
            let cause = "asked, the gateway broke off".to_owned();
            return Outcome::Unknown { cause };
        }
        match self.table.read(answer) {
            Outcome::NotSent {
                blame: Blame::Account,
                cause,
                ..
            } => Outcome::Unknown { cause },
            Outcome::NotSent { cause, .. } => Outcome::NotSent {
                cause: format!("asked, {cause}"),
                retry_after: None,
                blame: Blame::Message,
            },
            other => other,
        }
    }
}
