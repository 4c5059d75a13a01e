//! Clients that spread over replicas, and find the same replica for the same key again.
//!
//! Rendezvous hashing needs no agreement between callers: each ranks all replicas by a hash of key
//! and address, and takes the first. When a replica goes, only its own keys move.

mod connector;

use std::{cmp::Reverse, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tonic::{Request, transport::Endpoint};

use self::connector::Connector;
use crate::tls::{Expected, TlsStore};
pub use crate::trace::outgoing::Channel;

/// A server that vanished without a word is noticed after both of these together.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody to talk to.
    #[error("no address given; give at least one host:port")]
    NoAddress,
    /// Not host:port.
    #[error("{0:?} is not an address; write it as host:port")]
    Address(String),
}

/// One channel to each replica of a service, connected when it is first used.
#[derive(Clone, Debug)]
pub struct Replicas {
    replicas: Arc<[Replica]>, // never empty
}

#[derive(Debug)]
struct Replica {
    address: String,
    channel: Channel,
}

impl Replicas {
    /// Channels to `addresses` (host:port), each to be answered by `expected`. The same address
    /// given twice counts once. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When there is no address, or one is not host:port.
    pub fn new(
        addresses: impl IntoIterator<Item = impl Into<String>>,
        expected: impl Into<Expected>,
        tls: &Arc<TlsStore>,
    ) -> Result<Self, ClientError> {
        let mut addresses: Vec<String> = addresses.into_iter().map(Into::into).collect();
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(ClientError::NoAddress);
        }
        let expected = expected.into();
        let replica = |address: String| {
            let channel = connect(&address, expected.clone(), tls)?;
            Ok(Replica { address, channel })
        };
        let replicas = addresses.into_iter().map(replica).collect::<Result<_, _>>()?;
        Ok(Self { replicas })
    }

    /// The replica of a key: the namespace of a shoot, or `namespace/name` of a Secret. Every
    /// process picks the same one as long as the addresses are the same.
    #[must_use]
    pub fn pick(&self, key: &str) -> Channel {
        self.replicas[self.position(key)].channel.clone()
    }

    /// The position of that replica in [`Replicas::all`].
    pub(crate) fn position(&self, key: &str) -> usize {
        if self.replicas.len() == 1 {
            return 0; // most fleets have one, and hashes cost something
        }
        let ranked =
            (0..self.replicas.len()).max_by_key(|at| rank(key, &self.replicas[*at].address));
        ranked.expect("never empty: checked when it was made")
    }

    /// Positions in [`Replicas::all`], the replica of the key first, then who comes after it.
    #[must_use]
    pub fn rank(&self, key: &str) -> Vec<usize> {
        let mut ranked: Vec<usize> = (0..self.replicas.len()).collect();
        ranked.sort_by_cached_key(|at| Reverse(rank(key, &self.replicas[*at].address)));
        ranked
    }

    /// All replicas with their addresses, sorted by address.
    pub fn all(&self) -> impl Iterator<Item = (&str, Channel)> {
        self.replicas.iter().map(|replica| (replica.address.as_str(), replica.channel.clone()))
    }
}

/// A channel to one address, connected when it is first used and again after it broke. Must be
/// called inside a tokio runtime.
///
/// # Errors
///
/// When the address is not host:port.
pub fn connect(
    address: &str,
    expected: impl Into<Expected>,
    tls: &Arc<TlsStore>,
) -> Result<Channel, ClientError> {
    let bad_address = || ClientError::Address(address.to_owned());
    let connector = Connector::new(address, expected.into(), tls).ok_or_else(bad_address)?;
    // Plain `http` to tonic: the connector has done TLS already.
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| bad_address())?;
    let endpoint = endpoint
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    Ok(Channel::new(endpoint.connect_with_connector_lazy(connector.into_service())))
}

/// A request that both sides give up after `deadline`. A connection that must be made first has
/// three seconds of its own before that.
#[must_use]
pub fn with_deadline<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

/// Changing this moves keys while old and new versions of a caller run side by side.
fn rank(key: &str, address: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(Sha256::digest(key)); // of fixed length, so that key and address cannot run together
    hash.update(address);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const REPLICAS: [&str; 4] =
        ["10.0.0.1:9443", "10.0.0.2:9443", "10.0.0.3:9443", "10.0.0.4:9443"];

    fn picks<'a>(replicas: &[&'a str]) -> BTreeMap<String, &'a str> {
        let first = |key: &str| *replicas.iter().max_by_key(|at| rank(key, at)).unwrap();
        (0..1000).map(|n| format!("shoot--p--{n}")).map(|key| (key.clone(), first(&key))).collect()
    }

    #[test]
    fn keys_spread_over_all_replicas() {
        for replica in REPLICAS {
            let share = picks(&REPLICAS).values().filter(|picked| **picked == replica).count();
            assert!((200..300).contains(&share), "{replica} has {share} of 1000 keys");
        }
    }

    #[test]
    fn only_the_keys_of_a_removed_replica_move() {
        let (before, after) = (picks(&REPLICAS), picks(&REPLICAS[..3]));

        for (key, held) in &before {
            assert!(*held == REPLICAS[3] || after[key] == *held, "{key} moved");
        }
    }

    #[tokio::test]
    async fn the_first_of_a_rank_is_the_one_that_is_picked_and_all_are_in_it() {
        let mut ranked: Vec<_> = (0..REPLICAS.len()).collect();
        ranked.sort_by_cached_key(|at| Reverse(rank("shoot--p--1", REPLICAS[*at])));
        assert_eq!(REPLICAS[ranked[0]], picks(&REPLICAS)["shoot--p--1"]);
        ranked.sort_unstable();
        assert_eq!(ranked, [0, 1, 2, 3]);
    }

    #[test]
    fn the_choice_is_the_same_in_every_process_and_version() {
        let picked = picks(&REPLICAS);

        assert_eq!(picked["shoot--p--1"], "10.0.0.3:9443");
        assert_eq!(picked["shoot--p--2"], "10.0.0.1:9443");
    }
}
