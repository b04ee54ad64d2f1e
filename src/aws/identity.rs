//! A role that is assumed: with a token of the host, so that no credentials need to be kept anywhere, or with those that we have.

use std::fmt;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::Builder;
use aws_sdk_sts::types;

use super::timings::Calls;
use super::{WebIdentity, fault};
use crate::variable::Secret;

/// How the session of an assumed role is called in logs of AWS.
const SESSION: &str = "stagewright";

/// What says who we are.
pub enum Proof {
    /// A token of the host.
    Token(WebIdentity),
    /// The credentials of the environment.
    Credentials,
}

/// Credentials of a role. The SDK keeps them, and asks again before they run out.
pub struct Assumed {
    client: Client,
    role: String,
    proof: Proof,
}

impl Assumed {
    /// Says which role is assumed, and by what proof. No call is made.
    pub fn new((shared, calls): (&SdkConfig, Calls), role: String, proof: Proof) -> Self {
        Self {
            client: Client::from_conf(Builder::from(shared).interceptor(calls).build()),
            role,
            proof,
        }
    }

    async fn assume(&self) -> provider::Result {
        let given = match &self.proof {
            Proof::Token(identity) => self.with_token(identity).await?,
            Proof::Credentials => self.with_credentials().await?,
        };
        let Some(given) = given else {
            return Err(CredentialsError::provider_error("STS gave no credentials"));
        };
        if let Proof::Token(identity) = &self.proof {
            for secret in [&given.access_key_id, &given.secret_access_key, &given.session_token] {
                (identity.hide)(&Secret::new(secret.clone()));
            }
        }
        let expires = SystemTime::try_from(given.expiration).ok();
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            expires,
            "an assumed role",
        ))
    }

    async fn with_token(&self, identity: &WebIdentity) -> Result<Option<types::Credentials>, CredentialsError> {
        let token = (identity.token)().await.map_err(CredentialsError::provider_error)?;
        let request = self
            .client
            .assume_role_with_web_identity()
            .role_arn(&self.role)
            .role_session_name(SESSION)
            .web_identity_token(token.reveal());
        let answer = request.send().await.map_err(|error| {
            let fault = fault::of("sts:AssumeRoleWithWebIdentity", &self.role, &error);
            CredentialsError::provider_error(fault)
        })?;
        Ok(answer.credentials)
    }

    async fn with_credentials(&self) -> Result<Option<types::Credentials>, CredentialsError> {
        let request = self.client.assume_role().role_arn(&self.role);
        let answer = request.role_session_name(SESSION).send().await.map_err(|error| {
            let fault = fault::of("sts:AssumeRole", &self.role, &error);
            CredentialsError::provider_error(fault)
        })?;
        Ok(answer.credentials)
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
