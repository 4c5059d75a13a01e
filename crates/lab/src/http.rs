//! The smallest HTTP client that can ask an admin port: one GET over plain loopback TCP.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// GETs a path; returns status and body.
///
/// # Errors
/// Nobody listens, no answer within 5 s, or no HTTP.
pub async fn get(path: &str, addr: SocketAddr) -> Result<(u16, String)> {
    let answer = tokio::time::timeout(TIMEOUT, exchange(path, addr)).await;
    let answer = answer.with_context(|| format!("no answer from http://{addr}{path}"))?;
    parse(&answer.with_context(|| format!("failed to get http://{addr}{path}"))?)
}

async fn exchange(path: &str, addr: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn parse(answer: &str) -> Result<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.context("the answer has no status")?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = "HTTP/1.0 503 Service Unavailable\r\na: b\r\n\r\nno snapshot";

        assert_eq!(parse(answer).unwrap(), (503, "no snapshot".to_owned()));
        assert!(parse("").is_err());
    }
}
