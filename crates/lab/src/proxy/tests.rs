use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::ports::Ports;

/// Longest wait for what must come, and how long what must not come is waited for.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

/// A server that sends back what it gets, and a proxy in front of it.
struct Echo {
    proxy: Proxy,
    _server: JoinSet<()>,
    _ports: Ports,
    _folder: tempfile::TempDir,
}

impl Echo {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = LabDir::create(folder.path()).unwrap();
        let mut ports = Ports::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                all.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let address = address(0, ports.take().unwrap().port());
        let proxy = Proxy::start("shoot-9".to_owned(), address, target, &dir).unwrap();
        Self { proxy, _server: server, _ports: ports, _folder: folder }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address).await.unwrap()
    }
}

async fn says_back(stream: &mut TcpStream) -> bool {
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    matches!(timeout(SHORT, stream.read_exact(&mut answer)).await, Ok(Ok(5)))
}

#[tokio::test]
async fn a_proxy_passes_on_until_it_swallows_and_goes_on_when_it_is_thawed() {
    let echo = Echo::start().await;
    let mut stream = echo.connect().await;
    assert!(says_back(&mut stream).await);

    echo.proxy.set(Mode::Swallow).await.unwrap();
    assert!(!says_back(&mut stream).await, "nothing comes through");
    assert!(!says_back(&mut echo.connect().await).await, "new connections hang too");

    echo.proxy.set(Mode::Open).await.unwrap();
    let mut answer = [0; 5];
    timeout(LONG, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"hello", "what was swallowed comes late, as from a server that hung");
}

#[tokio::test]
async fn a_proxy_that_is_cut_ends_connections_and_refuses_new_ones_until_it_is_open() {
    let echo = Echo::start().await;
    let mut stream = echo.connect().await;
    assert!(says_back(&mut stream).await);

    echo.proxy.set(Mode::Cut).await.unwrap();
    let end = timeout(LONG, stream.read(&mut [0; 5])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert!(TcpStream::connect(echo.proxy.address).await.is_err());

    echo.proxy.set(Mode::Open).await.unwrap();
    assert!(says_back(&mut echo.connect().await).await);
}

#[tokio::test]
async fn a_delay_holds_back_each_piece() {
    let echo = Echo::start().await;
    let mut stream = echo.connect().await;
    echo.proxy.set(Mode::Delay(SHORT)).await.unwrap();
    assert!(!says_back(&mut stream).await, "twice the delay, there and back");
    let mut answer = [0; 5];
    timeout(LONG, stream.read_exact(&mut answer)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = LabDir::create(folder.path()).unwrap();
    let error = control::set(Mode::Cut, "shoot-7", &dir).await.unwrap_err();

    assert_eq!(error.to_string(), "there is no proxy in front of shoot-7");
}

#[test]
fn a_mode_reads_as_it_is_written() {
    let second = Mode::Delay(Duration::from_millis(1_500));
    for mode in [Mode::Open, Mode::Cut, Mode::Swallow, second] {
        assert_eq!(mode.to_string().parse::<Mode>().unwrap(), mode);
    }
    assert!("delay soon".parse::<Mode>().is_err());
}

#[test]
fn every_proxy_has_an_address_of_its_own() {
    let all: std::collections::BTreeSet<_> = (0..PROXIES_MAX).map(|n| address(n, 1)).collect();

    assert_eq!(all.len(), PROXIES_MAX);
    assert!(all.iter().all(|address| address.ip().is_loopback()));
}
