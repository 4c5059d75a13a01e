//! Listeners are bound before any work starts, so that a taken port is found at once.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::start::StartError;

/// Binds the address of the flag `flag` (`--listen-addr`). Port 0 takes a free one.
///
/// # Errors
///
/// [`StartError::Listen`], which says which flag to change.
pub async fn bind(flag: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|cause| StartError::Listen {
        flag,
        address,
        cause: cause.kind(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_told_with_the_flag_and_what_to_do() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let taken = bind("--listen-addr", any).await.unwrap();
        let address = taken.local_addr().unwrap();

        let error = bind("--listen-addr", address).await.unwrap_err();

        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {address} (--listen-addr): address in use; choose another port"
            )
        );
    }
}
