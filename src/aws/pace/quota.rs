//! The quotas with which AWS counts the calls of an account in a Region, and when the next call fits into them.
//!
//! Pure: the clock is passed in. By <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

use std::collections::BTreeMap;
use std::time::Duration;

/// A quota of an account in a Region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// New REST APIs that are regional or private.
    NewRestApi,
    /// New REST APIs that are reached at the edge.
    NewEdgeRestApi,
    /// Documents written over REST APIs.
    PutRestApi,
    /// Deployments of APIs.
    CreateDeployment,
    /// Removals of REST APIs.
    DeleteRestApi,
    /// New domain names.
    CreateDomainName,
    /// Changes of domain names.
    UpdateDomainName,
    /// Removals of domain names.
    DeleteDomainName,
    /// Looks at the resources of REST APIs.
    Resources,
    /// All calls of API Gateway together.
    ApiGateway,
    /// All calls of Lambda that have no quota of their own.
    Lambda,
    /// Looks at functions.
    Functions,
    /// Looks at who may call a function.
    Policies,
}

impl Quota {
    /// The quota of one new REST API, by how it is reached: `EDGE`, `REGIONAL` or `PRIVATE`.
    pub fn of_new_rest_api(endpoint_type: &str) -> Self {
        match endpoint_type {
            "EDGE" => Self::NewEdgeRestApi,
            _ => Self::NewRestApi,
        }
    }

    /// The quota that takes seconds for each call of an operation, if it has one: it is reserved among all runs.
    pub fn slow(operation: &str) -> Option<Self> {
        Some(match operation {
            "apigateway:ImportRestApi" => Self::NewRestApi,
            "apigateway:PutRestApi" => Self::PutRestApi,
            // Whether AWS counts deployments of the second version by the same quota is not documented: it is kept for both.
            "apigateway:CreateDeployment" => Self::CreateDeployment,
            "apigateway:DeleteRestApi" => Self::DeleteRestApi,
            "apigateway:CreateDomainName" => Self::CreateDomainName,
            "apigateway:UpdateDomainName" => Self::UpdateDomainName,
            "apigateway:DeleteDomainName" => Self::DeleteDomainName,
            _ => return None,
        })
    }

    /// The quotas of many calls a second that an operation counts for: each run keeps them by itself.
    pub fn fast(operation: &str) -> &'static [Self] {
        match operation {
            "apigateway:GetResources" => &[Self::Resources, Self::ApiGateway],
            "lambda:Invoke" => &[],
            "lambda:GetFunction" => &[Self::Functions],
            "lambda:GetPolicy" => &[Self::Policies],
            _ if operation.starts_with("apigateway:") => &[Self::ApiGateway],
            _ if operation.starts_with("lambda:") => &[Self::Lambda],
            _ => &[],
        }
    }

    /// Its name in the record of all runs, which never changes. Quotas of one name are one and the same, of which calls take
    /// more or less.
    pub fn name(self) -> &'static str {
        match self {
            Self::NewRestApi | Self::NewEdgeRestApi => "ImportRestApi",
            Self::PutRestApi => "PutRestApi",
            Self::CreateDeployment => "CreateDeployment",
            Self::DeleteRestApi => "DeleteRestApi",
            Self::CreateDomainName => "CreateDomainName",
            Self::UpdateDomainName => "UpdateDomainName",
            Self::DeleteDomainName => "DeleteDomainName",
            Self::Resources => "GetResources",
            Self::ApiGateway => "apigateway",
            Self::Lambda => "lambda",
            Self::Functions => "GetFunction",
            Self::Policies => "GetPolicy",
        }
    }

    /// What one call takes of it: so long no other one fits, unless there is a [burst](Self::burst).
    pub fn interval(self) -> Duration {
        match self {
            Self::NewRestApi => Duration::from_secs(3),
            Self::PutRestApi => Duration::from_secs(1),
            Self::CreateDeployment => Duration::from_secs(5),
            Self::NewEdgeRestApi
            | Self::DeleteRestApi
            | Self::CreateDomainName
            | Self::UpdateDomainName
            | Self::DeleteDomainName => Duration::from_secs(30),
            Self::Resources => Duration::from_millis(400),
            Self::ApiGateway => Duration::from_millis(100),
            Self::Lambda | Self::Policies => Duration::from_micros(66_667),
            Self::Functions => Duration::from_millis(10),
        }
    }

    /// How many calls may be made at once after a silence.
    fn burst(self) -> u32 {
        match self {
            Self::NewRestApi
            | Self::NewEdgeRestApi
            | Self::PutRestApi
            | Self::CreateDeployment
            | Self::DeleteRestApi
            | Self::CreateDomainName
            | Self::UpdateDomainName
            | Self::DeleteDomainName => 1,
            Self::Resources | Self::Policies => 5,
            // Ten functions are updated at once. Where others use the account, too, a refusal is tried again.
            Self::Lambda => 10,
            Self::ApiGateway => 40,
            Self::Functions => 50,
        }
    }

    /// What it allows, for people who wait.
    pub fn told(self) -> &'static str {
        match self {
            Self::NewRestApi => "API Gateway: this account may import 1 API per 3 s",
            Self::NewEdgeRestApi => "API Gateway: this account may import 1 edge-optimized API per 30 s",
            Self::PutRestApi => "API Gateway: this account may overwrite 1 API per 1 s",
            Self::CreateDeployment => "API Gateway: this account may make 1 deployment per 5 s",
            Self::DeleteRestApi => "API Gateway: this account may remove 1 API per 30 s",
            Self::CreateDomainName => "API Gateway: this account may make 1 domain per 30 s",
            Self::UpdateDomainName => "API Gateway: this account may change 1 domain per 30 s",
            Self::DeleteDomainName => "API Gateway: this account may remove 1 domain per 30 s",
            Self::Resources => "API Gateway: this account may look at 5 APIs per 2 s",
            Self::ApiGateway => "API Gateway: this account may make 10 calls per 1 s",
            Self::Lambda => "Lambda: this account may make 15 calls per 1 s",
            Self::Functions => "Lambda: this account may look at 100 functions per 1 s",
            Self::Policies => "Lambda: this account may look at 15 policies per 1 s",
        }
    }
}

/// What is taken of each quota, in time since some beginning.
#[derive(Debug, Default)]
pub struct Buckets {
    /// When all that was taken would have been paid for at the quota's own rate.
    paid: BTreeMap<&'static str, Duration>,
}

impl Buckets {
    /// Takes the next call of a quota that may be made at a moment or later, and says when.
    pub fn take(&mut self, quota: Quota, earliest: Duration) -> Duration {
        let ahead = quota.interval() * (quota.burst() - 1);
        let paid = self.paid.entry(quota.name()).or_default();
        let at = earliest.max(paid.saturating_sub(ahead));
        *paid = at.max(*paid) + quota.interval();
        at
    }

    /// Leaves nothing of a quota for as long as one call takes: AWS has just said no.
    pub fn refused(&mut self, quota: Quota, now: Duration) {
        let paid = self.paid.entry(quota.name()).or_default();
        *paid = (*paid).max(now + quota.interval() * quota.burst());
    }

    /// When the next call of a quota could be made, at a moment or later.
    pub fn next(&self, quota: Quota, earliest: Duration) -> Duration {
        let ahead = quota.interval() * (quota.burst() - 1);
        let paid = self.paid.get(quota.name()).copied().unwrap_or_default();
        earliest.max(paid.saturating_sub(ahead))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Quota; 13] = [
        Quota::NewRestApi,
        Quota::NewEdgeRestApi,
        Quota::PutRestApi,
        Quota::CreateDeployment,
        Quota::DeleteRestApi,
        Quota::CreateDomainName,
        Quota::UpdateDomainName,
        Quota::DeleteDomainName,
        Quota::Resources,
        Quota::ApiGateway,
        Quota::Lambda,
        Quota::Functions,
        Quota::Policies,
    ];

    proptest! {
        #[test]
        fn so_many_calls_as_a_quota_allows_are_made_and_never_one_more(
            quota in proptest::sample::select(ALL.to_vec()),
            pauses in proptest::collection::vec(0_u64..4_000, 2..120),
        ) {
            let mut buckets = Buckets::default();
            let mut asked = Duration::ZERO;
            let mut made = Vec::new();
            for pause in pauses {
                asked += Duration::from_millis(pause);
                made.push(buckets.take(quota, asked));
            }
            prop_assert!(made.is_sorted());
            let burst = quota.burst() as usize;
            for (from, first) in made.iter().enumerate() {
                for (to, last) in made.iter().enumerate().skip(from + burst) {
                    let paid = quota.interval() * u32::try_from(to - from - burst + 1).unwrap();
                    prop_assert!(*last - *first >= paid, "{to} - {from} within {:?}", *last - *first);
                }
            }
        }
    }

    #[test]
    fn a_hundred_functions_are_begun_as_fast_as_lambda_lets_one() {
        let mut buckets = Buckets::default();
        let last = (0..100)
            .map(|_| buckets.take(Quota::Lambda, Duration::ZERO))
            .last()
            .unwrap();
        assert!(
            (Duration::from_millis(5_900)..=Duration::from_millis(6_700)).contains(&last),
            "{last:?}"
        );
    }

    #[test]
    fn an_api_at_the_edge_keeps_the_next_one_waiting_for_longer() {
        let mut buckets = Buckets::default();
        buckets.take(Quota::of_new_rest_api("EDGE"), Duration::ZERO);
        let next = buckets.take(Quota::of_new_rest_api("REGIONAL"), Duration::ZERO);
        assert_eq!(next, Duration::from_secs(30));
    }

    #[test]
    fn after_a_refusal_nothing_is_asked_for_as_long_as_a_call_takes() {
        let mut buckets = Buckets::default();
        let now = Duration::from_secs(100);
        buckets.take(Quota::CreateDeployment, now);
        buckets.refused(Quota::CreateDeployment, now + Duration::from_secs(2));
        assert_eq!(buckets.next(Quota::CreateDeployment, now), now + Duration::from_secs(7));
    }

    #[test]
    fn slow_quotas_are_those_of_seconds_and_looks_at_functions_do_not_count_with_changes() {
        assert_eq!(Quota::slow("apigateway:DeleteRestApi"), Some(Quota::DeleteRestApi));
        assert_eq!(Quota::slow("apigateway:GetRestApis"), None);
        assert_eq!(Quota::fast("lambda:GetFunction"), [Quota::Functions]);
        assert_eq!(Quota::fast("lambda:CreateFunction"), [Quota::Lambda]);
        assert!(Quota::fast("iam:CreateRole").is_empty());
    }
}
