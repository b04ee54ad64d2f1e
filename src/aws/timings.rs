//! Every call to AWS on the timeline: one hook in all clients.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::timeline::{Recording, Timeline};

/// Writes down every call of a client, from its first byte sent to its end.
#[derive(Debug, Clone)]
pub struct Calls(Timeline);

/// A call that goes on. It is dropped with the call, even where nobody waits for that one any more.
#[derive(Debug)]
struct Going(Option<Recording>);

impl Storable for Going {
    type Storer = StoreReplace<Self>;
}

impl Calls {
    /// Writes on a timeline.
    pub fn on(timeline: &Timeline) -> Self {
        Self(timeline.clone())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    /// Once for each attempt, when credentials are there and the request is signed: getting them is a call of its own.
    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Going(Some(recording))) = cfg.load::<Going>() {
            recording.again();
            return Ok(());
        }
        let recording = match cfg.load::<Metadata>() {
            Some(called) => self.0.call((service(called.service()), called.name()), || {
                path(context.request().uri())
            }),
            None => return Ok(()),
        };
        cfg.interceptor_state().store_put(Going(Some(recording)));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(Going(Some(recording))), Some(answer)) = (cfg.load::<Going>(), context.response()) {
            recording.answered(answer.status().as_u16());
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(Going(None));
        Ok(())
    }
}

/// A service by the prefix of its actions in IAM, as our messages name it.
fn service(name: &str) -> &str {
    match name {
        "Lambda" => "lambda",
        "IAM" => "iam",
        "API Gateway" | "ApiGatewayV2" => "apigateway",
        "EventBridge" => "events",
        "SNS" => "sns",
        "S3" => "s3",
        "CloudWatch Logs" => "logs",
        "STS" => "sts",
        other => other,
    }
}

/// What a URL names, without its query, which may be a signature.
fn path(url: &str) -> String {
    let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = behind_scheme.split_once('/').map_or("", |(_, path)| path);
    path.split('?').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_names_is_its_path_alone() {
        let of = |url| path(url);
        let signed = "https://deploys.s3.eu-west-1.amazonaws.com/shop/dev.json?x-id=GetObject&X-Amz-Signature=abc";
        assert_eq!(of(signed), "shop/dev.json");
        assert_eq!(of("https://iam.amazonaws.com/"), "");
        assert_eq!(of("https://iam.amazonaws.com"), "");
    }
}
