use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;

use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\ncDRzcw==\n-----END EC PRIVATE KEY-----\n";

fn document(cluster: &str, user: &str) -> String {
    let ca = BASE64_STANDARD.encode(CERTIFICATE);
    format!(
        "current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
         clusters:\n- name: c\n  cluster:\n    certificate-authority-data: {ca}\n    {cluster}\n\
         users:\n- name: u\n  user: {user}\n"
    )
}

fn read(cluster: &str, user: &str) -> Result<Connection, KubeconfigError> {
    connection(document(cluster, user).as_bytes())
}

const SERVER: &str = "server: https://api.shoot.example:6443";

#[test]
fn f_address_ca_and_token_are_read_and_not_shown() {
    let tls = format!("{SERVER}\n    tls-server-name: kube-apiserver\n    extensions: [1]");
    let read = read(&tls, "{token: s3cr3t, extensions: []}").unwrap();
    assert_eq!(read.server, "https://api.shoot.example:6443");
    assert_eq!(read.ca_pem, CERTIFICATE.as_bytes());
    assert_eq!(read.tls_server_name.as_deref(), Some("kube-apiserver"));
    assert!(matches!(&read.credential, Inline::Token(token) if token.expose() == "s3cr3t"));
    let shown = "Connection { server: \"https://api.shoot.example:6443\", \
                 tls_server_name: Some(\"kube-apiserver\"), credential: Token(…), .. }";
    assert_eq!(format!("{read:?}"), shown);
}

#[test]
fn f_a_certificate_is_read_where_there_is_no_token() {
    let encode = |text: &str| BASE64_STANDARD.encode(text);
    let pair = format!(
        "client-certificate-data: {}, client-key-data: {}",
        encode(CERTIFICATE),
        encode(KEY)
    );
    let pem = read(SERVER, &format!("{{{pair}, token: \"\"}}")).unwrap().credential;
    assert_eq!(format!("{pem:?}"), "Certificate(…)");
    let Inline::Certificate { certificate_pem, key_pem } = pem else { panic!("{pem:?}") };
    assert_eq!(certificate_pem, CERTIFICATE.as_bytes());
    assert_eq!(key_pem.expose_secret(), KEY.as_bytes());
    let both = read(SERVER, &format!("{{{pair}, token: x}}")).unwrap().credential;
    assert!(matches!(both, Inline::Token(_)));
    assert!(matches!(read(SERVER, "").unwrap().credential, Inline::None));

    let half = format!("{{client-certificate-data: {}}}", encode(CERTIFICATE));
    let missing =
        KubeconfigError::Missing { part: Part::User("u".to_owned()), key: "client-key-data" };
    assert_eq!(read(SERVER, &half).unwrap_err(), missing);
    let swapped = format!("{{client-certificate-data: {}, client-key-data: x}}", encode(KEY));
    let text = read(SERVER, &swapped).unwrap_err().to_string();
    assert_eq!(
        text,
        "user \"u\" has a `client-certificate-data` that is not PEM certificates in base64; correct it"
    );
}

#[test]
fn f_whatever_runs_reads_or_redirects_is_refused_by_name() {
    let users = [
        ("exec", "{exec: {command: s3cr3t}, token: x}"),
        ("exec", "{exec: {}}"),
        ("auth-provider", "{auth-provider: {name: gcp}}"),
        ("tokenFile", "{tokenFile: /s3cr3t, token: x}"),
        ("client-certificate", "{client-certificate: /s3cr3t}"),
        ("client-key", "{client-key: /s3cr3t}"),
        ("username", "{username: s3cr3t}"),
        ("password", "{password: s3cr3t}"),
        ("as", "{as: s3cr3t}"),
        ("as-uid", "{as-uid: s3cr3t}"),
        ("as-groups", "{as-groups: [s3cr3t]}"),
        ("as-user-extra", "{as-user-extra: {a: [s3cr3t]}}"),
    ];
    let clusters = [
        ("certificate-authority", "certificate-authority: /s3cr3t"),
        ("proxy-url", "proxy-url: http://s3cr3t"),
        ("insecure-skip-tls-verify", "insecure-skip-tls-verify: true"),
        ("insecure-skip-tls-verify", "insecure-skip-tls-verify: yes"),
    ];
    let users = users.map(|(key, user)| (key, read(SERVER, user)));
    let clusters =
        clusters.map(|(key, entry)| (key, read(&format!("{SERVER}\n    {entry}"), "{}")));
    for (expected, result) in users.into_iter().chain(clusters) {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, KubeconfigError::Refused { key, .. } if *key == expected),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
    }
    let harmless =
        "insecure-skip-tls-verify: false\n    proxy-url: \"\"\n    certificate-authority:";
    let nothing = "{exec: null, as: \"\", as-groups: [], tokenFile: ''}";
    assert!(read(&format!("{SERVER}\n    {harmless}"), nothing).is_ok());
}

#[test]
fn a_server_is_https_with_a_host_and_nothing_strange() {
    for server in [
        "https://api",
        "https://api.shoot.example",
        "https://10.0.0.1:443",
        "https://[fd00::1]",
        "https://[fd00::1]:6443/",
        "https://rancher.example/k8s/clusters/c-1",
    ] {
        assert_eq!(read(&format!("server: \"{server}\""), "{}").unwrap().server, server);
    }
    for server in [
        "http://api",
        "api",
        "https://",
        "https:///x",
        "https://a@api",
        "https://a:b@api",
        "https://api?x=y",
        "https://api/?x",
        "https://api#x",
        "https://api:0",
        "https://api:70000",
        "https://api:",
        "https://api:+1",
        "https://[api]",
        "https://[::1]x",
        "https://a b",
        "https://api/../x",
        "https://api/%2e",
        "https://a..b",
        "https://api\\\\x",
        "HTTPS://api",
    ] {
        let error = read(&format!("server: \"{server}\""), "{}").unwrap_err();
        assert!(matches!(error, KubeconfigError::Type { key: "server", .. }), "{server}: {error}");
    }
    let missing = KubeconfigError::Missing { part: Part::Cluster("c".to_owned()), key: "server" };
    assert_eq!(read("a: b", "{}").unwrap_err(), missing);
}

#[test]
fn f_the_ca_is_there_and_certificates() {
    let ca = BASE64_STANDARD.encode(CERTIFICATE);
    let with = |value: &str| connection(document(SERVER, "{}").replace(&ca, value).as_bytes());
    let broken = BASE64_STANDARD.encode("-----BEGIN CERTIFICATE-----\nYQ==\n");
    let mixed = BASE64_STANDARD.encode(format!("{CERTIFICATE}{KEY}"));
    for value in ["eA==", "s3cr3t!", &broken, &mixed, &ca[1..]] {
        let error = with(value).unwrap_err();
        assert!(matches!(error, KubeconfigError::Type { key: CA_DATA, .. }), "{error}");
    }
    let missing = KubeconfigError::Missing { part: Part::Cluster("c".to_owned()), key: CA_DATA };
    assert_eq!(with("").unwrap_err(), missing);
    let lines = format!("|\n      {}\n      {}", &ca[..12], &ca[12..]);
    assert_eq!(with(&lines).unwrap().ca_pem, CERTIFICATE.as_bytes());
}
