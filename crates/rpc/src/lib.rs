//! gRPC between the services: mutual TLS, SPIFFE identity, authorization, clients with affinity,
//! status mapping.
//!
//! Who somebody is comes from the one URI in the certificate and from nothing else
//! ([`identity`]); what that somebody may call is one table ([`authorize`]); what went wrong is
//! said in one way ([`status`]). Certificates are read again while the process runs, and both
//! sides pick them up with their next connection ([`tls`]). A trace goes on from caller to server
//! ([`trace`]). What one service asks another for each renewal shares a stream ([`pipeline`]).

pub mod authorize;
pub mod client;
pub mod convert;
pub mod identity;
pub mod pipeline;
pub mod server;
pub mod status;
pub mod tls;
pub mod trace;
