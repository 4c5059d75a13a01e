//! What a request asks for, from its path.

use std::collections::BTreeMap;

use http::Method;

use super::{calls::Call, resource::Resource};

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub call: Call,
    pub what: What,
    pub query: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Objects(&'static Resource),
    TokenRequest,
    TokenReview,
    AccessReview,
    KeySet,
    Health,
    Nothing,
}

impl Target {
    pub(super) fn parse(method: &Method, path: &str, query: &str) -> Self {
        let query = pairs(query);
        let watch = query.get("watch").is_some_and(|value| value == "true" || value == "1");
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => return Self { what: by_path(path), ..Self::path(method, path, query) },
        };
        let (namespace, rest) = match rest {
            // `namespaces/x` alone is the namespace itself.
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, name) = match rest {
            [plural] => ((*plural).to_owned(), ""),
            [plural, name] => ((*plural).to_owned(), *name),
            [plural, name, subresource] => (format!("{plural}/{subresource}"), *name),
            _ => return Self::path(method, path, query),
        };
        let verb = verb(method, name.is_empty(), watch);
        let what = by_resource(group, &resource);
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { call: Call { verb, resource, namespace, name }, what, query }
    }

    fn path(method: &Method, path: &str, query: BTreeMap<String, String>) -> Self {
        let call = Call {
            verb: verb(method, false, false),
            resource: path.to_owned(),
            namespace: String::new(),
            name: String::new(),
        };
        Self { call, what: What::Nothing, query }
    }

    pub(super) fn asks(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn by_path(path: &str) -> What {
    match path {
        "/openid/v1/jwks" => What::KeySet,
        "/readyz" | "/livez" | "/healthz" => What::Health,
        _ => What::Nothing,
    }
}

fn by_resource(group: &str, resource: &str) -> What {
    match (group, resource) {
        ("", "serviceaccounts/token") => What::TokenRequest,
        ("authentication.k8s.io", "tokenreviews") => What::TokenReview,
        ("authorization.k8s.io", "selfsubjectaccessreviews") => What::AccessReview,
        _ => Resource::find(group, resource).map_or(What::Nothing, What::Objects),
    }
}

fn verb(method: &Method, collection: bool, watch: bool) -> &'static str {
    match method.as_str() {
        "GET" if watch => "watch",
        "GET" if collection => "list",
        "GET" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "other",
    }
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// `application/x-www-form-urlencoded`; what is not ASCII must be well-formed UTF-8.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(method: &str, path: &str, query: &str) -> String {
        let Target { call, .. } = Target::parse(&method.parse().unwrap(), path, query);
        format!("{} {} {:?} {:?}", call.verb, call.resource, call.namespace, call.name)
    }

    #[test]
    fn paths_are_read_as_an_api_server_reads_them() {
        let secrets = "/api/v1/namespaces/a/secrets";
        assert_eq!(told("GET", secrets, ""), r#"list secrets "a" """#);
        assert_eq!(told("GET", "/api/v1/secrets", "watch=true"), r#"watch secrets "" """#);
        assert_eq!(told("PATCH", "/api/v1/namespaces/a/secrets/b", ""), r#"patch secrets "a" "b""#);
        assert_eq!(told("GET", "/api/v1/namespaces/a", ""), r#"get namespaces "" "a""#);
        assert_eq!(
            told("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", ""),
            r#"create serviceaccounts/token "a" "b""#
        );
        assert_eq!(told("GET", "/openid/v1/jwks", ""), r#"get /openid/v1/jwks "" """#);
    }

    #[test]
    fn selectors_arrive_decoded() {
        let query = "labelSelector=a.b%2Fc%3Dd%2Ce+in+%28f%29&limit=5";
        let target = Target::parse(&Method::GET, "/api/v1/secrets", query);
        assert_eq!(target.asks("labelSelector"), Some("a.b/c=d,e in (f)"));
        assert_eq!(target.asks("limit"), Some("5"));
    }
}
