//! Fakes and builders for tests: a fake API server, certificates, clocks that are moved by hand.
//!
//! The [fake API server](api_server::FakeApiServer) is held to the real one by a contract suite,
//! `tests/integration/contract.rs`, which both must pass. It knows no RBAC: who may do what is
//! tested on real API servers.

pub mod access_secret;
pub mod api_server;
pub mod certificates;
pub mod clock;
pub mod crowd;
pub mod kubeconfig;
pub mod records;
