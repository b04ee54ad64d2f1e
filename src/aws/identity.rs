//! A role that is assumed with a token of the host, so that no credentials need to be kept anywhere.

use std::fmt;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::Client;

use super::{WebIdentity, fault};
use crate::variable::Secret;

/// Credentials of a role. The SDK keeps them, and asks again before they run out.
pub struct Assumed {
    client: Client,
    role: String,
    identity: WebIdentity,
}

impl Assumed {
    /// Says which role is assumed, and with whose token. No call is made.
    pub fn new(shared: &SdkConfig, role: String, identity: WebIdentity) -> Self {
        Self {
            client: Client::new(shared),
            role,
            identity,
        }
    }

    async fn assume(&self) -> provider::Result {
        let token = (self.identity.token)()
            .await
            .map_err(CredentialsError::provider_error)?;
        let request = self
            .client
            .assume_role_with_web_identity()
            .role_arn(&self.role)
            .role_session_name("stagewright")
            .web_identity_token(token.reveal());
        let answer = request.send().await.map_err(|error| {
            let fault = fault::of("sts:AssumeRoleWithWebIdentity", &self.role, &error);
            CredentialsError::provider_error(fault)
        })?;
        let Some(given) = answer.credentials else {
            return Err(CredentialsError::provider_error("STS gave no credentials"));
        };
        for secret in [&given.access_key_id, &given.secret_access_key, &given.session_token] {
            (self.identity.hide)(&Secret::new(secret.clone()));
        }
        let expires = SystemTime::try_from(given.expiration).ok();
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            expires,
            "web identity",
        ))
    }
}

impl fmt::Debug for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assumed")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
