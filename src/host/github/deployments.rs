//! GitHub's own record of deployments: one for a release of a stage, with its status.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Call, encoded, read};
use super::wire::Method;
use crate::fault::{Certainty, Fault};
use crate::names::{AppName, StageName};

/// Longest description that GitHub takes, in characters.
/// See <https://docs.github.com/rest/deployments/statuses#create-a-deployment-status>.
const DESCRIPTION: usize = 140;

/// What is going to be deployed.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The environment that it is shown under.
    pub environment: String,
    /// What it is a part of: the deployments of one task replace each other.
    pub task: String,
    /// The commit.
    pub sha: String,
    /// What it is, in a few words.
    pub description: String,
    /// The app.
    pub app: AppName,
    /// The stage.
    pub stage: StageName,
    /// Where people can look at the run: two runs are told apart by it.
    pub run: String,
    /// What kind of stage it is.
    pub kind: Kind,
}

/// What kind of stage is deployed, as GitHub tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One that users use.
    Production,
    /// One that stays, for the team.
    Lasting,
    /// One that will be removed.
    Transient,
}

/// How far a deployment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is being made.
    InProgress,
    /// It is made.
    Success {
        /// Where it is served.
        url: Option<String>,
    },
    /// It could not be made.
    Failure,
    /// It is not served any more.
    Inactive,
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    #[serde(default)]
    payload: Value,
}

#[derive(Deserialize)]
struct StatusAnswer {
    id: u64,
    state: String,
}

impl Status {
    fn word(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Success { .. } => "success",
            Self::Failure => "failure",
            Self::Inactive => "inactive",
        }
    }
}

impl Deployment {
    /// Whose it is. GitHub gives a payload back as it was sent, or as text.
    fn of(&self, name: &str) -> Option<String> {
        let parsed = self.payload.as_str().and_then(|text| serde_json::from_str(text).ok());
        let payload: &Value = parsed.as_ref().unwrap_or(&self.payload);
        payload[name].as_str().map(ToOwned::to_owned)
    }

    fn is_told_by(&self, notice: &Notice) -> bool {
        let is = |name, value: &str| self.of(name).as_deref() == Some(value);
        is("run", &notice.run) && is("app", notice.app.as_str()) && is("stage", notice.stage.as_str())
    }
}

impl Api {
    /// Records that something is going to be deployed; returns the deployment's id.
    ///
    /// # Errors
    ///
    /// The call failed. Where nobody knew whether it had, it was looked for first, and made again only where it was not there.
    pub async fn begin_deployment(&self, notice: &Notice) -> Result<u64, Fault> {
        match self.create_deployment(notice).await {
            Err(fault) if fault.certainty == Certainty::MayHaveHappened => {
                tracing::info!(%fault, "looking whether the deployment was recorded");
            }
            ended => return ended,
        }
        match self.begun_deployment(notice).await? {
            Some(id) => Ok(id),
            None => self.create_deployment(notice).await,
        }
    }

    async fn create_deployment(&self, notice: &Notice) -> Result<u64, Fault> {
        let body = request(notice);
        let call = Call {
            body: Some(&body),
            method: Method::Post,
            ..self.look("github:CreateDeployment", "/deployments")
        };
        let answer = self.call(&call).await?;
        // A 202 has a message in place of a deployment, which cannot be read: that leaves a doubt, as it should.
        Ok(read::<Deployment>(&call, &answer)?.id)
    }

    async fn begun_deployment(&self, notice: &Notice) -> Result<Option<u64>, Fault> {
        let sha = format!("&sha={}", encoded(&notice.sha));
        let deployments = self.deployments(&notice.environment, &notice.task, &sha).await?;
        let ours = deployments.iter().find(|deployment| deployment.is_told_by(notice));
        Ok(ours.map(|deployment| deployment.id))
    }

    async fn deployments(&self, environment: &str, task: &str, more: &str) -> Result<Vec<Deployment>, Fault> {
        let path = format!(
            "/deployments?environment={}&task={}{more}",
            encoded(environment),
            encoded(task)
        );
        self.pages(&self.look("github:ListDeployments", &path)).await
    }

    /// Says how far a deployment is.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn set_status(&self, deployment: u64, status: &Status, log_url: Option<&str>) -> Result<(), Fault> {
        let body = status_request(status, log_url);
        let call = Call {
            body: Some(&body),
            method: Method::Post,
            ..self.look(
                "github:CreateDeploymentStatus",
                &format!("/deployments/{deployment}/statuses"),
            )
        };
        self.call(&call).await.map(|_| ())
    }

    /// Says of every deployment of a task that it is not served any more, where that was not said before: of those of one
    /// app, if one is given, and but for one deployment, if one is given.
    ///
    /// # Errors
    ///
    /// A call failed; those after it are still to be retired.
    pub async fn retire(
        &self,
        environment: &str,
        task: &str,
        app: Option<&AppName>,
        except: Option<u64>,
    ) -> Result<(), Fault> {
        for deployment in self.deployments(environment, task, "").await? {
            let is_meant = app.is_none_or(|app| deployment.of("app").as_deref() == Some(app.as_str()));
            if !is_meant || except == Some(deployment.id) {
                continue;
            }
            if self.standing(deployment.id).await?.as_deref() != Some(Status::Inactive.word()) {
                self.set_status(deployment.id, &Status::Inactive, None).await?;
            }
        }
        Ok(())
    }

    /// The newest status of a deployment.
    async fn standing(&self, deployment: u64) -> Result<Option<String>, Fault> {
        let path = format!("/deployments/{deployment}/statuses");
        let statuses: Vec<StatusAnswer> = self.pages(&self.look("github:ListDeploymentStatuses", &path)).await?;
        let newest = statuses.into_iter().max_by_key(|status| status.id);
        Ok(newest.map(|status| status.state))
    }
}

/// GitHub's defaults would merge the default branch into the commit, and wait for every check of it.
/// See <https://docs.github.com/rest/deployments/deployments#create-a-deployment>.
fn request(notice: &Notice) -> Value {
    json!({
        "ref": notice.sha,
        "task": notice.task,
        "auto_merge": false,
        "required_contexts": [],
        "environment": notice.environment,
        "description": short(&notice.description),
        "transient_environment": notice.kind == Kind::Transient,
        "production_environment": notice.kind == Kind::Production,
        "payload": {"app": notice.app, "stage": notice.stage, "run": notice.run},
    })
}

/// All previews share one environment: a success of one must not make those of others inactive.
fn status_request(status: &Status, log_url: Option<&str>) -> Value {
    let mut request = json!({"state": status.word(), "auto_inactive": false});
    if let Some(url) = log_url {
        request["log_url"] = url.into();
    }
    // GitHub takes a link that a browser can open; a websocket's is none.
    if let Status::Success { url: Some(url) } = status
        && url.starts_with("http")
    {
        request["environment_url"] = url.as_str().into();
    }
    request
}

fn short(description: &str) -> String {
    if description.chars().count() <= DESCRIPTION {
        return description.to_owned();
    }
    let beginning: String = description.chars().take(DESCRIPTION - 1).collect();
    format!("{}…", beginning.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            environment: "preview".to_owned(),
            task: "deploy:pr-7".to_owned(),
            sha: "c0ffee".to_owned(),
            description: "ü".repeat(200),
            app: "app".parse().unwrap(),
            stage: "pr-7".parse().unwrap(),
            run: "https://github.com/octo/app/actions/runs/42/attempts/1".to_owned(),
            kind: Kind::Transient,
        }
    }

    fn told(payload: Value) -> Deployment {
        Deployment { id: 1, payload }
    }

    #[test]
    fn nothing_is_merged_nothing_is_waited_for_and_nothing_else_is_made_inactive() {
        let request = request(&notice());
        assert_eq!(request["auto_merge"], json!(false));
        assert_eq!(request["required_contexts"], json!([]));
        assert_eq!(request["transient_environment"], json!(true));
        assert_eq!(request["production_environment"], json!(false));
        assert_eq!(
            status_request(&Status::Success { url: None }, None)["auto_inactive"],
            json!(false)
        );
    }

    #[test]
    fn a_description_is_no_longer_than_github_takes() {
        let description = request(&notice())["description"].as_str().unwrap().to_owned();
        assert_eq!(description.chars().count(), 140);
        assert_eq!(short("beta"), "beta");
    }

    #[test]
    fn a_deployment_of_ours_is_known_in_either_form_of_its_payload() {
        let notice = notice();
        let payload = request(&notice)["payload"].clone();
        assert!(told(payload.clone()).is_told_by(&notice));
        assert!(told(Value::String(payload.to_string())).is_told_by(&notice));
    }

    #[test]
    fn a_deployment_of_another_run_or_app_or_stage_is_not_ours() {
        for name in ["app", "stage", "run"] {
            let mut payload = request(&notice())["payload"].clone();
            payload[name] = "another".into();
            assert!(!told(payload).is_told_by(&notice()), "{name}");
        }
        assert!(!told(Value::String("no JSON".to_owned())).is_told_by(&notice()));
        assert!(!told(Value::Null).is_told_by(&notice()));
    }

    #[test]
    fn only_what_is_served_has_a_url() {
        let url = Some("https://a.example".to_owned());
        let served = status_request(&Status::Success { url }, Some("https://run"));
        assert_eq!(served["environment_url"], "https://a.example");
        assert_eq!(served["log_url"], "https://run");
        let url = Some("wss://a.example/api/".to_owned());
        let socket = status_request(&Status::Success { url }, None);
        assert!(socket.get("environment_url").is_none());
        assert!(status_request(&Status::Failure, None).get("environment_url").is_none());
    }
}
