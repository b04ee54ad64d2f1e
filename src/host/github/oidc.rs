//! Who the run is, for AWS: a token that GitHub signs.
//!
//! See <https://docs.github.com/actions/reference/security/oidc>.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::locked;
use super::wire::{Answer, Broken, Method, Wire};
use super::workflow::Workflow;
use crate::aws::WebIdentity;
use crate::timeline::Timeline;
use crate::variable::Secret;

/// Whom the token is for. AWS's identity provider for GitHub expects this.
const AUDIENCE: &str = "sts.amazonaws.com";

/// How often the token is asked for, at most.
const ATTEMPTS: u32 = 3;

/// What the run may ask for its token with. Only a job with `id-token: write` has it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    url: String,
    token: Secret,
}

impl Request {
    /// What stands in the environment; `None` where the job may not ask.
    pub(super) fn of(variables: &BTreeMap<String, String>) -> Option<Self> {
        let variable = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        Some(Self {
            url: variable("ACTIONS_ID_TOKEN_REQUEST_URL")?,
            token: Secret::new(variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?),
        })
    }

    /// What asks for a new token each time: one is valid for some minutes only.
    pub(super) fn identity(self, workflow: Arc<Mutex<Workflow>>, timeline: Timeline) -> WebIdentity {
        let hidden = workflow.clone();
        WebIdentity {
            token: Arc::new(move || {
                let (request, workflow, timeline) = (self.clone(), workflow.clone(), timeline.clone());
                Box::pin(async move {
                    let token = request.ask(&timeline).await?;
                    locked(&workflow).mask(&token);
                    Ok(token)
                })
            }),
            hide: Arc::new(move |secret| locked(&hidden).mask(secret)),
        }
    }

    async fn ask(&self, timeline: &Timeline) -> Result<Secret, String> {
        let wire = Wire::new(&self.url, &self.token)?;
        let url = self.url_for(AUDIENCE);
        let mut attempt = 1;
        let recording = timeline.call(("github", "GetIdToken"), || AUDIENCE.to_owned());
        loop {
            let answer = wire.send(Method::Get, &url, None).await;
            if let Ok(answer) = &answer {
                recording.answered(answer.status);
            }
            let is_worth_another = match &answer {
                Ok(answer) => answer.status >= 500,
                Err(Broken::Cut(_) | Broken::Refused(_) | Broken::Timeout(_)) => true,
                Err(Broken::Unsent(_)) => false,
            };
            if attempt == ATTEMPTS || !is_worth_another {
                return token(answer);
            }
            attempt += 1;
            recording.again();
        }
    }

    fn url_for(&self, audience: &str) -> String {
        let sign = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{sign}audience={audience}", self.url)
    }
}

/// Nothing of the answer is ever shown: it may hold the token.
fn token(answer: Result<Answer, Broken>) -> Result<Secret, String> {
    let unanswered = |why: &str| format!("GitHub gave no OIDC token: {why}");
    match answer {
        Ok(answer) if answer.status == 200 => {
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let value = body["value"].as_str().filter(|value| !value.is_empty());
            value
                .map(|value| Secret::new(value.to_owned()))
                .ok_or_else(|| unanswered("there is none in the answer"))
        }
        Ok(answer) => Err(unanswered(&format!("HTTP status {}", answer.status))),
        Err(Broken::Timeout(after)) => Err(unanswered(&format!("no answer after {} s", after.as_secs()))),
        Err(Broken::Unsent(why) | Broken::Refused(why) | Broken::Cut(why)) => Err(unanswered(&why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> Request {
        Request {
            url: url.to_owned(),
            token: Secret::new("t".to_owned()),
        }
    }

    #[test]
    fn the_audience_is_added_to_whatever_is_asked_already() {
        let url = request("https://runner.example/token?api-version=2.0").url_for(AUDIENCE);
        assert_eq!(
            url,
            "https://runner.example/token?api-version=2.0&audience=sts.amazonaws.com"
        );
        let url = request("https://runner.example/token").url_for(AUDIENCE);
        assert_eq!(url, "https://runner.example/token?audience=sts.amazonaws.com");
    }

    #[test]
    fn a_job_without_the_permission_cannot_ask() {
        let empty = BTreeMap::from([
            ("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), "https://a".to_owned()),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), String::new()),
        ]);
        assert!(Request::of(&empty).is_none());
    }

    #[test]
    fn what_github_answers_is_never_shown() {
        let answer = |status, body: &str| {
            Ok(Answer {
                status,
                body: body.to_owned(),
                ..Answer::default()
            })
        };
        assert_eq!(
            token(answer(200, r#"{"count": 1, "value": "jwt"}"#)).unwrap().reveal(),
            "jwt"
        );
        for refused in [answer(200, r#"{"other": "s3cret"}"#), answer(401, "s3cret")] {
            assert!(!token(refused).unwrap_err().contains("s3cret"));
        }
    }
}
