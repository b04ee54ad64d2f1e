//! The doors to AWS: one set of clients for a Region and a role.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use self::once::NotTooMany;
use self::pace::{Pacer, Pacing};
use self::pool::Pool;
use self::scout::Scouts;
use self::turns::Turns;
use crate::timeline::Timeline;
use crate::variable::Secret;

pub mod answered;
pub mod download;
pub mod fault;
mod identity;
mod once;
pub mod pace;
pub mod pool;
pub mod scout;
mod timings;
pub mod turns;
pub mod wait;

/// Where, and as whom, AWS is called.
#[derive(Clone, Default)]
pub struct Access {
    /// Region; where it is missing, that of the environment or the profile.
    pub region: Option<String>,
    /// ARN of a role to assume first.
    pub role: Option<String>,
    /// With whose token the role is assumed; where it is missing, with the credentials of the environment.
    pub identity: Option<WebIdentity>,
    /// Whether calls keep quotas.
    pub pacing: Pacing,
    /// What is shared with all other clients of the run.
    pub pool: Pool,
}

/// How the user is told why it takes long.
pub type Tell = Rc<dyn Fn(&str)>;

/// A token that is on its way.
pub type Token = Pin<Box<dyn Future<Output = Result<Secret, String>> + Send>>;

/// Says who we are where there are no credentials but a role to assume.
#[derive(Clone)]
pub struct WebIdentity {
    /// Gets a token, signed by where we run, for AWS to exchange for credentials. Each call gets a new one; why there is
    /// none is told as a sentence, without the token.
    pub token: Arc<dyn Fn() -> Token + Send + Sync>,
    /// Has a secret never shown from now on.
    pub hide: Arc<dyn Fn(&Secret) + Send + Sync>,
}

/// Clients of the services that a stage lives in.
#[derive(Clone)]
pub struct Clients {
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// API Gateway.
    pub api_gateway: aws_sdk_apigateway::Client,
    /// The second version of API Gateway: websocket APIs and HTTP APIs.
    pub gateway_v2: aws_sdk_apigatewayv2::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// SNS.
    pub sns: aws_sdk_sns::Client,
    /// S3, for what buckets tell functions.
    pub s3: aws_sdk_s3::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// STS, to learn which account this is.
    pub sts: aws_sdk_sts::Client,
    /// The Region of all of them, if one is configured anywhere.
    pub region: Option<String>,
    /// How the user is told of long waits.
    pub tell: Tell,
    /// Where all waits are written down.
    pub timeline: Timeline,
    /// Turns in changing who may call a function, by its name: parallel changes of one policy lose statements.
    pub turns: Turns,
    /// Turns in making calls that AWS counts.
    pub pacer: Pacer,
    /// Which roles are tried by one call at a time.
    pub scouts: Scouts,
    /// The revisions of functions that were looked at ahead, by their names.
    pub foreseen: Rc<RefCell<BTreeMap<String, String>>>,
}

impl Clients {
    /// Opens the clients. No call is made: credentials are looked for with the first one.
    pub async fn open(access: &Access, tell: Tell) -> Self {
        let shared = access.pool.configuration(access).await;
        let calls = || access.pool.calls();
        let lambda = aws_sdk_lambda::config::Builder::from(&shared).interceptor(calls());
        let iam = aws_sdk_iam::config::Builder::from(&shared).interceptor(calls());
        let api_gateway = aws_sdk_apigateway::config::Builder::from(&shared).interceptor(calls());
        let api_gateway = api_gateway.retry_classifier(NotTooMany);
        let gateway_v2 = aws_sdk_apigatewayv2::config::Builder::from(&shared).interceptor(calls());
        let gateway_v2 = gateway_v2.retry_classifier(NotTooMany);
        let events = aws_sdk_eventbridge::config::Builder::from(&shared).interceptor(calls());
        let sns = aws_sdk_sns::config::Builder::from(&shared).interceptor(calls());
        // With an endpoint that is not AWS's there is no DNS name for each bucket.
        let path_style = shared.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&shared).force_path_style(path_style);
        let logs = aws_sdk_cloudwatchlogs::config::Builder::from(&shared).interceptor(calls());
        let sts = aws_sdk_sts::config::Builder::from(&shared).interceptor(calls());
        Self {
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            api_gateway: aws_sdk_apigateway::Client::from_conf(api_gateway.build()),
            gateway_v2: aws_sdk_apigatewayv2::Client::from_conf(gateway_v2.build()),
            events: aws_sdk_eventbridge::Client::from_conf(events.build()),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.interceptor(calls()).build()),
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(logs.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            region: shared.region().map(ToString::to_string),
            pacer: Pacer::new(access.pacing, tell.clone()),
            tell,
            timeline: access.pool.timeline().clone(),
            turns: Turns::default(),
            scouts: Scouts::default(),
            foreseen: Rc::default(),
        }
    }
}
