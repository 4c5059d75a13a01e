//! From the message to a request that can be sent: only what the API server would take gets in.

use std::{collections::BTreeMap, time::Duration};

use perennial_core::{
    generation::Family,
    inputs::{
        ACCOUNT_LABELS_MAX, AUDIENCES_MAX, LIFETIME_MAX_SECONDS, LIFETIME_MIN_SECONDS, is_audience,
    },
    name::{AccountRef, SecretRef},
};
use perennial_proto::issuer::v1 as proto;
use perennial_rpc::convert::{self, ConvertError};

use super::{bind::Binding, deliver::Goal};

/// A checked request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The access Secret on the seed; its namespace is the shoot.
    pub secret: SecretRef,
    /// The ServiceAccount in the shoot.
    pub account: AccountRef,
    /// Its labels, if it has to be made.
    pub account_labels: BTreeMap<String, String>,
    /// Lifetime to ask for, in seconds.
    pub lifetime_seconds: i64,
    /// Audiences to ask for; empty means those of the API server.
    pub audiences: Vec<String>,
    /// Where it goes; `None` hands it to the caller.
    pub goal: Option<Goal>,
    /// What it is bound to, where the Secret is revocable.
    pub binding: Option<Binding>,
}

impl Ask {
    /// Checks a message.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn parse(message: proto::IssueTokenRequest) -> Result<Self, ConvertError> {
        let proto::IssueTokenRequest {
            namespace,
            name,
            account,
            account_labels,
            lifetime,
            audiences,
            delivery,
            binding,
        } = message;
        Ok(Self {
            secret: SecretRef {
                namespace: convert::parsed("namespace", &namespace)?,
                name: convert::parsed("name", &name)?,
            },
            account: convert::account_from_proto(account)?,
            account_labels: checked_labels(account_labels)?,
            lifetime_seconds: lifetime_seconds(convert::duration_from("lifetime", lifetime)?)?,
            audiences: checked_audiences(audiences)?,
            goal: delivery.map(Goal::parse).transpose()?,
            binding: binding.map(Binding::parse).transpose()?,
        })
    }

    /// The generations that its token may be bound to.
    pub(super) fn family(&self) -> Family {
        Family::new(&self.account.namespace, &self.secret)
    }
}

pub(super) fn checked_labels(
    labels: impl IntoIterator<Item = (String, String), IntoIter: ExactSizeIterator>,
) -> Result<BTreeMap<String, String>, ConvertError> {
    let labels = labels.into_iter();
    match labels.len() > ACCOUNT_LABELS_MAX {
        true => Err(wrong("account_labels", "has too many labels")),
        false => Ok(labels.collect()),
    }
}

fn lifetime_seconds(lifetime: Duration) -> Result<i64, ConvertError> {
    let seconds = i64::try_from(lifetime.as_secs()).ok();
    seconds
        .filter(|seconds| (LIFETIME_MIN_SECONDS..=LIFETIME_MAX_SECONDS).contains(seconds))
        .ok_or_else(|| wrong("lifetime", "must be 600 s to 2^32 s"))
}

fn checked_audiences(audiences: Vec<String>) -> Result<Vec<String>, ConvertError> {
    if audiences.len() > AUDIENCES_MAX || !audiences.iter().all(|audience| is_audience(audience)) {
        return Err(wrong(
            "audiences",
            "must be at most 32, each of 1 to 253 printable characters",
        ));
    }
    Ok(audiences)
}

fn wrong(field: &'static str, problem: &str) -> ConvertError {
    ConvertError { field, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> proto::IssueTokenRequest {
        proto::IssueTokenRequest {
            namespace: "shoot--lab--1".to_owned(),
            name: "shoot-access-kube-proxy".to_owned(),
            account: Some(proto::ServiceAccount {
                namespace: "kube-system".to_owned(),
                name: "kube-proxy".to_owned(),
            }),
            account_labels: [("app".to_owned(), "proxy".to_owned())].into(),
            lifetime: Some(convert::duration(Duration::from_secs(43_200))),
            audiences: vec!["gardener".to_owned()],
            delivery: None,
            binding: None,
        }
    }

    #[test]
    fn a_good_message_becomes_a_request() {
        let ask = Ask::parse(message()).unwrap();
        assert_eq!(ask.account.to_string(), "kube-system/kube-proxy");
        assert_eq!((ask.lifetime_seconds, ask.audiences.len()), (43_200, 1));
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused_before_it_is_sent() {
        let field = |spoil: &dyn Fn(&mut proto::IssueTokenRequest)| {
            let mut message = message();
            spoil(&mut message);
            Ask::parse(message).unwrap_err().field
        };
        assert_eq!(field(&|m| m.namespace = "../kube-system".to_owned()), "namespace");
        assert_eq!(field(&|m| m.name = String::new()), "name");
        assert_eq!(field(&|m| m.account = None), "account");
        assert_eq!(field(&|m| m.account.as_mut().unwrap().name = "a/b".to_owned()), "account.name");
        for seconds in [-1, 0, 599, (1 << 32) + 1, i64::MAX] {
            assert_eq!(field(&|m| m.lifetime.as_mut().unwrap().seconds = seconds), "lifetime");
        }
        assert_eq!(field(&|m| m.lifetime = None), "lifetime");
        assert_eq!(field(&|m| m.audiences = vec![String::new()]), "audiences");
        assert_eq!(field(&|m| m.audiences = vec!["a\n".to_owned()]), "audiences");
        assert_eq!(field(&|m| m.audiences = vec!["a".to_owned(); 33]), "audiences");
        for seconds in [-1, 24 * 60 * 60 + 1] {
            let mut grace = convert::duration(Duration::ZERO);
            grace.seconds = seconds;
            let binding = proto::Binding { generation: 1, revokes: true, grace: Some(grace) };
            let binding = Some(binding);
            assert_eq!(field(&|m| m.binding = binding), "binding.grace");
        }
    }
}
