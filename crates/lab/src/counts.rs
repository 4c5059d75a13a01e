//! What an API server says it was asked: `apiserver_request_total` of its `/metrics`.

use std::collections::BTreeMap;

/// Verbs that change something. Server-side apply is counted as APPLY.
const WRITING_VERBS: [&str; 6] = ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"];

/// One kind of request, in the API server's own words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// `GET`, `LIST`, `WATCH`, `POST`, `PUT`, `PATCH`, `APPLY`, `DELETE`, …
    pub verb: String,
    /// Plural, such as `secrets`; empty for paths such as `/openid/v1/jwks`.
    pub resource: String,
    /// Such as `token`; for paths without resource, the path.
    pub subresource: String,
    /// HTTP status.
    pub code: String,
}

/// How often each kind of request was answered since the API server started.
///
/// A request is counted when its answer has been sent, and a watch when it ends: who compares counts
/// right after an answer may have to look twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts(BTreeMap<Request, u64>);

impl RequestCounts {
    /// Reads the text of `/metrics`. Lines of other metrics are passed over.
    #[must_use]
    pub fn parse(metrics: &str) -> Self {
        let mut counts = Self::default();
        for (request, count) in metrics.lines().filter_map(parse_line) {
            *counts.0.entry(request).or_default() += count;
        }
        counts
    }

    /// What was asked after `earlier`, without the kinds that did not change.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let more = self.0.iter().filter_map(|(request, count)| {
            let more = count.saturating_sub(earlier.0.get(request).copied().unwrap_or_default());
            (more > 0).then(|| (request.clone(), more))
        });
        Self(more.collect())
    }

    /// Sum over the requests that `matches` takes.
    #[must_use]
    pub fn count(&self, matches: impl Fn(&Request) -> bool) -> u64 {
        self.0.iter().filter(|(request, _)| matches(request)).map(|(_, count)| count).sum()
    }

    /// TokenRequests, refused ones too.
    #[must_use]
    pub fn token_requests(&self) -> u64 {
        self.count(|r| {
            r.verb == "POST" && r.resource == "serviceaccounts" && r.subresource == "token"
        })
    }

    /// TokenRequests that gave a token. The first of an account that is missing is refused and sent
    /// again once the account is made.
    #[must_use]
    pub fn tokens_granted(&self) -> u64 {
        self.count(|r| r.subresource == "token" && r.verb == "POST" && r.code == "201")
    }

    /// TokenReviews.
    #[must_use]
    pub fn token_reviews(&self) -> u64 {
        self.count(|r| r.verb == "POST" && r.resource == "tokenreviews")
    }

    /// Writes of a resource itself (not of a subresource), refused ones too.
    #[must_use]
    pub fn writes(&self, resource: &str) -> u64 {
        self.count(|r| {
            r.resource == resource
                && r.subresource.is_empty()
                && WRITING_VERBS.contains(&r.verb.as_str())
        })
    }

    /// All kinds, for printing.
    pub fn iter(&self) -> impl Iterator<Item = (&Request, u64)> {
        self.0.iter().map(|(request, count)| (request, *count))
    }
}

fn parse_line(line: &str) -> Option<(Request, u64)> {
    let (labels, value) = line.strip_prefix("apiserver_request_total{")?.rsplit_once("} ")?;
    // No label of this metric has a comma or a quote in its value.
    let label = |name: &str| {
        let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'));
        value.unwrap_or_default().to_owned()
    };
    let request = Request {
        verb: label("verb"),
        resource: label("resource"),
        subresource: label("subresource"),
        code: label("code"),
    };
    Some((request, parse_count(value)?))
}

/// Prometheus writes large counters as `1.2e+06`.
fn parse_count(value: &str) -> Option<u64> {
    let exact = value.parse::<u64>().ok();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a counter is a whole number, not negative and far below 2^53"
    )]
    exact.or_else(|| value.parse::<f64>().ok().map(|value| value as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="serviceaccounts",scope="resource",subresource="token",verb="POST",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="PATCH",version="v1"} 1.2e+06
apiserver_request_total{code="201",component="apiserver",dry_run="",group="authentication.k8s.io",resource="tokenreviews",scope="resource",subresource="",verb="POST",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="cluster",subresource="",verb="LIST",version="v1"} 9
apiserver_request_sli_duration_seconds_count{resource="secrets"} 77
"#;

    #[test]
    fn requests_are_told_apart() {
        let counts = RequestCounts::parse(BEFORE);

        assert_eq!(counts.token_requests(), 3);
        assert_eq!(counts.token_reviews(), 2);
        assert_eq!(counts.writes("secrets"), 1_200_000);
        assert_eq!(counts.writes("serviceaccounts"), 0);
    }

    #[test]
    fn only_what_came_later_is_left() {
        let before = RequestCounts::parse(BEFORE);
        let after = RequestCounts::parse(&BEFORE.replace("} 3\n", "} 8\n"));

        assert_eq!(after.since(&before).token_requests(), 5);
        assert_eq!(after.since(&before).iter().count(), 1);
    }
}
