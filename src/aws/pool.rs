//! What all clients of a run share: connections, credentials, and the record of their calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::Mutex;

use super::Access;
use super::identity::{Assumed, Proof};
use super::timings::Calls;
use crate::hold::CALL_TIMEOUT;
use crate::timeline::Timeline;

/// What all clients of a run share. Connections are kept alive for whoever calls next, and credentials are fetched once:
/// a role that both the state and the stage are reached by is assumed by one call.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    http: SharedHttpClient,
    timeline: Timeline,
    known: Mutex<Known>,
}

/// What was found out before.
#[derive(Default)]
struct Known {
    /// The configuration of the environment, by the Region that was asked for.
    configurations: BTreeMap<Option<String>, SdkConfig>,
    /// One that has a Region: its credentials are those of all others.
    first: Option<SdkConfig>,
    /// Credentials of roles, by the ARN and whether a token of the host says who we are.
    roles: BTreeMap<(String, bool), SharedCredentialsProvider>,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(Timeline::default())
    }
}

impl Pool {
    /// Nothing is connected yet. Every call is written down on the timeline.
    pub fn new(timeline: Timeline) -> Self {
        Self(Arc::new(Shared {
            http: http_client(),
            timeline,
            known: Mutex::default(),
        }))
    }

    /// Where calls and waits are written down.
    pub fn timeline(&self) -> &Timeline {
        &self.0.timeline
    }

    /// What writes down every call of a client.
    pub fn calls(&self) -> Calls {
        Calls::on(&self.0.timeline)
    }

    /// The SDK's configuration for a Region and a role, from its standard sources. No call is made: credentials are looked for
    /// with the first one.
    pub async fn configuration(&self, access: &Access) -> SdkConfig {
        let mut known = self.0.known.lock().await;
        let shared = self.of_region(&mut known, access.region.clone()).await;
        let Some(role) = &access.role else { return shared };
        let key = (role.clone(), access.identity.is_some());
        if let Some(assumed) = known.roles.get(&key) {
            return with_credentials(shared, assumed.clone());
        }
        let proof = match &access.identity {
            Some(identity) => Proof::Token(identity.clone()),
            None => Proof::Credentials,
        };
        let assumed = Assumed::new((&shared, self.calls()), role.clone(), proof);
        let assumed = SharedCredentialsProvider::new(assumed);
        // Without a Region there is no STS to be asked by those who have one.
        if shared.region().is_some() {
            known.roles.insert(key, assumed.clone());
        }
        with_credentials(shared, assumed)
    }

    async fn of_region(&self, known: &mut Known, region: Option<String>) -> SdkConfig {
        if let Some(shared) = known.configurations.get(&region) {
            return shared.clone();
        }
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(self.0.http.clone())
            .timeout_config(timeouts())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_max_backoff(Duration::from_secs(3)),
            );
        if let Ok(name) = AppName::new(concat!("stagewright-", env!("CARGO_PKG_VERSION"))) {
            loader = loader.app_name(name);
        }
        if let Some(region) = &region {
            loader = loader.region(Region::new(region.clone()));
        }
        let first = known.first.as_ref();
        if let Some(credentials) = first.and_then(SdkConfig::credentials_provider) {
            loader = loader.credentials_provider(credentials);
        }
        if let Some(cache) = first.and_then(SdkConfig::identity_cache) {
            loader = loader.identity_cache(cache);
        }
        let shared = loader.load().await;
        if known.first.is_none() && shared.region().is_some() {
            known.first = Some(shared.clone());
        }
        known.configurations.insert(region, shared.clone());
        shared
    }
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

/// An HTTP client with connections of its own: rustls with ring, and proxies by the usual variables.
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
