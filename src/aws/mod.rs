//! The doors to AWS: one set of clients for a Region and a role.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use self::identity::Assumed;
use self::once::NotTooMany;
use self::pace::{Pacer, Pacing};
use self::turns::Turns;
use crate::hold::CALL_TIMEOUT;
use crate::variable::Secret;

pub mod answered;
pub mod download;
pub mod fault;
mod identity;
mod once;
pub mod pace;
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
    /// Turns in changing who may call a function, by its name: parallel changes of one policy lose statements.
    pub turns: Turns,
    /// Turns in making calls that AWS counts.
    pub pacer: Pacer,
}

impl Clients {
    /// Opens the clients. No call is made: credentials are looked for with the first one.
    pub async fn open(access: &Access, tell: Tell) -> Self {
        let shared = configuration(access).await;
        // With an endpoint that is not AWS's there is no DNS name for each bucket.
        let path_style = shared.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&shared).force_path_style(path_style);
        let api_gateway = aws_sdk_apigateway::config::Builder::from(&shared).retry_classifier(NotTooMany);
        let gateway_v2 = aws_sdk_apigatewayv2::config::Builder::from(&shared).retry_classifier(NotTooMany);
        Self {
            lambda: aws_sdk_lambda::Client::new(&shared),
            iam: aws_sdk_iam::Client::new(&shared),
            api_gateway: aws_sdk_apigateway::Client::from_conf(api_gateway.build()),
            gateway_v2: aws_sdk_apigatewayv2::Client::from_conf(gateway_v2.build()),
            events: aws_sdk_eventbridge::Client::new(&shared),
            sns: aws_sdk_sns::Client::new(&shared),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            logs: aws_sdk_cloudwatchlogs::Client::new(&shared),
            sts: aws_sdk_sts::Client::new(&shared),
            region: shared.region().map(ToString::to_string),
            pacer: Pacer::new(access.pacing, tell.clone()),
            tell,
            turns: Turns::default(),
        }
    }
}

/// The SDK's configuration for a Region and a role, from its standard sources.
pub async fn configuration(access: &Access) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .timeout_config(timeouts())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_max_backoff(Duration::from_secs(3)),
        );
    if let Ok(name) = AppName::new(concat!("stagewright-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let shared = loader.load().await;
    let Some(role) = &access.role else { return shared };
    if let Some(identity) = &access.identity {
        let assumed = Assumed::new(&shared, role.clone(), identity.clone());
        return with_credentials(shared, SharedCredentialsProvider::new(assumed));
    }
    let assumed = AssumeRoleProvider::builder(role)
        .session_name("stagewright")
        .configure(&shared)
        .build()
        .await;
    with_credentials(shared, SharedCredentialsProvider::new(assumed))
}

fn with_credentials(shared: SdkConfig, credentials: SharedCredentialsProvider) -> SdkConfig {
    shared.into_builder().credentials_provider(credentials).build()
}

/// Every call ends within [`CALL_TIMEOUT`], its retries included, so that a lease can be known to outlive it.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(4))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(CALL_TIMEOUT)
        .build()
}

/// The HTTP client of every call: rustls with ring, and proxies by the usual variables.
pub fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    })
}
