use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use perennial_core::{
    failure::{Failure as _, Kind},
    kubeconfig::Inline,
};
use rcgen::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls};

use super::*;

const TOKEN_PATH: &str = "/api/v1/namespaces/kube-system/serviceaccounts/kube-proxy/token";

/// An HTTPS server that gives one answer to everybody, and counts.
struct Server {
    address: SocketAddr,
    ca_pem: String,
    asked: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Server {
    async fn that_answers(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, ca_pem) = acceptor();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                answer_once(tcp, &acceptor, &answer, &count).await;
            }
        });
        Self { address, ca_pem, asked, _task: task }
    }

    fn connection(&self, credential: Inline) -> Connection {
        Connection {
            server: format!("https://{}", self.address),
            ca_pem: self.ca_pem.clone().into_bytes(),
            tls_server_name: Some("shoot.test".to_owned()),
            credential,
        }
    }

    fn client(&self) -> ShootClient {
        ShootClient::new(&self.connection(Inline::None)).unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn acceptor() -> (TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["shoot.test".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

/// A client that breaks off is no failure of the server.
async fn answer_once(tcp: TcpStream, acceptor: &TlsAcceptor, answer: &str, count: &AtomicUsize) {
    let Ok(tls) = acceptor.accept(tcp).await else { return };
    let mut tls = BufReader::new(tls);
    let (mut line, mut length) = (String::new(), 0);
    while tls.read_line(&mut line).await.is_ok_and(|bytes| bytes > 2) {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let _ = tls.read_exact(&mut vec![0; length]).await;
    count.fetch_add(1, Ordering::SeqCst);
    let _ = tls.write_all(answer.as_bytes()).await;
    let _ = tls.shutdown().await;
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn account() -> AccountRef {
    "kube-system/kube-proxy".parse().unwrap()
}

async fn asks_for_a_token(server: &Server) -> Result<Token, Error> {
    server.client().request_token(&account(), 3600, &[], None).await
}

#[tokio::test]
async fn a_probe_brings_the_key_set_and_the_clock() {
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let server = Server::that_answers(http("200 OK", date, r#"{"keys":[{"kid":"a"}]}"#)).await;

    let seen = server.client().probe().await.unwrap();

    assert_eq!(seen.key_ids, ["a"]);
    assert_eq!(seen.date.unwrap().as_second(), 784_111_777);
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let body = "x".repeat(ANSWER_BYTES_MAX + 1);
    let server = Server::that_answers(http("200 OK", "", &body)).await;

    for error in
        [server.client().probe().await.unwrap_err(), asks_for_a_token(&server).await.unwrap_err()]
    {
        assert_eq!(error.kind(), Kind::Internal);
        assert!(error.to_string().ends_with("the answer is implausibly long"), "{error}");
    }
}

#[tokio::test]
async fn f_a_redirect_is_not_followed() {
    let elsewhere = Server::that_answers(http("200 OK", "", r#"{"keys":[]}"#)).await;
    let location = format!("location: https://{}{TOKEN_PATH}\r\n", elsewhere.address);
    let server = Server::that_answers(http("307 Temporary Redirect", &location, "")).await;

    server.client().probe().await.unwrap_err();
    asks_for_a_token(&server).await.unwrap_err();

    assert_eq!((server.asked(), elsewhere.asked()), (2, 0));
}

#[tokio::test]
async fn a_shoot_that_asks_to_slow_down_is_asked_once() {
    let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":429,
        "reason":"TooManyRequests","message":"slow down","details":{"retryAfterSeconds":7}}"#;
    let server = Server::that_answers(http("429 Too Many Requests", "", status)).await;

    let error = asks_for_a_token(&server).await.unwrap_err();

    assert_eq!(error.kind(), Kind::Throttled);
    assert_eq!(error.retry_after().map(|pause| pause.as_secs()), Some(7));
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_shoot_that_says_only_in_a_header_how_long_to_wait_is_heard() {
    let text = "Too many requests, please try again later.\n";
    for (status, asked, heard, kind) in [
        ("429 Too Many Requests", "7", Some(7), Kind::Throttled),
        ("503 Service Unavailable", "7", Some(7), Kind::Unavailable),
        ("429 Too Many Requests", "18446744073709551615", Some(3600), Kind::Throttled),
        ("429 Too Many Requests", "0", None, Kind::Throttled),
        ("429 Too Many Requests", "soon", None, Kind::Throttled),
        ("502 Bad Gateway", "7", None, Kind::Unavailable),
    ] {
        let headers = format!("content-type: text/plain\r\nretry-after: {asked}\r\n");
        let server = Server::that_answers(http(status, &headers, text)).await;

        for error in [
            asks_for_a_token(&server).await.unwrap_err(),
            server.client().probe().await.unwrap_err(),
        ] {
            let pause = error.retry_after().map(|pause| pause.as_secs());
            assert_eq!((error.kind(), pause), (kind, heard), "{status}, {asked}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_parse_is_not_quoted() {
    for body in [r#"{"status":{"token":["s3cret"]}}"#, "s3cret", r#"{"status":{}}"#] {
        let server = Server::that_answers(http("201 Created", "", body)).await;

        let error = asks_for_a_token(&server).await.unwrap_err();

        assert_eq!(error.kind(), Kind::Internal);
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn f_a_server_with_another_ca_gets_no_request() {
    let other = Server::that_answers(http("200 OK", "", "{}")).await;
    let server = Server::that_answers(http("200 OK", "", "{}")).await;
    let mut connection = server.connection(Inline::Token(Token::new("abc".to_owned())));
    connection.ca_pem = other.ca_pem.clone().into_bytes();

    let error = ShootClient::new(&connection).unwrap().probe().await.unwrap_err();

    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_before_any_call_and_says_what_to_do() {
    let server = Server::that_answers(String::new()).await;
    let refused = |change: &dyn Fn(&mut Connection)| {
        let mut connection = server.connection(Inline::None);
        change(&mut connection);
        ShootClient::new(&connection).unwrap_err().to_string()
    };

    let plain = refused(&|c| c.server = "http://127.0.0.1:80".to_owned());
    assert!(plain.ends_with("write it as https://host:port"), "{plain}");
    let no_url = refused(&|c| c.server = "not a url".to_owned());
    assert!(no_url.ends_with("write it as https://host:port"), "{no_url}");
    let no_ca = refused(&|c| c.ca_pem = b"s3cret".to_vec());
    assert!(no_ca.ends_with("the CA is not a PEM certificate; correct it"), "{no_ca}");
    let token = refused(&|c| c.credential = Inline::Token(Token::new("s3\ncret".to_owned())));
    assert!(token.ends_with("has characters that no token has; renew it"), "{token}");
    let pair = refused(&|c| {
        c.credential = Inline::Certificate {
            certificate_pem: b"s3cret".to_vec(),
            key_pem: b"s3cret".to_vec().into(),
        };
    });
    assert!(!pair.contains("s3cret"), "{pair}");
}

#[test]
fn only_a_404_about_the_account_means_that_it_is_missing() {
    let refused = |code, about: &str| Error::Refused {
        operation: String::new(),
        code,
        reason: String::new(),
        message: String::new(),
        about: Some(about.to_owned()),
        retry_after: None,
    };
    assert!(is_account_missing(&refused(404, "serviceaccounts")));
    assert!(!is_account_missing(&refused(404, "namespaces")));
    assert!(!is_account_missing(&refused(403, "serviceaccounts")));
}
