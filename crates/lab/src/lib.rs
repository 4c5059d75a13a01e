//! perennial-lab: real API servers and the three services on one machine, for demo, tests and benches.
//!
//! One etcd serves every API server under a prefix of its own: the seed and N shoots. The lab plays
//! everybody who is not Perennial: it makes the certificates, applies `deploy/`, puts the Secrets of
//! each shoot on the seed and starts the services, each as a process of its own with a kubeconfig of
//! its own ServiceAccount. Everything is kept below one folder ([`dir::LabDir`]), every listener is on
//! 127.0.0.1, and every process ends with the lab.
//!
//! A process that should stay down has a file `run/<name>.hold`; that is the whole protocol between
//! the running lab and `perennial-lab service …` (see [`process`]). A shoot may also be a namespace
//! only, whose kubeconfig leads through a proxy of the lab to the first shoot (see [`proxy`]).

pub mod access_secret;
pub mod apiserver;
pub mod binaries;
pub mod certificates;
pub mod cli;
pub mod cluster;
pub mod counts;
mod demo;
pub mod dir;
pub mod environment;
pub mod etcd;
pub mod fence;
pub mod http;
pub mod kubeconfig;
pub mod lab;
pub mod maker;
pub mod manifests;
pub mod pki;
pub mod poll;
pub mod ports;
pub mod process;
pub mod progress;
pub mod projected;
pub mod proxied;
pub mod proxy;
pub mod repo;
pub mod run;
pub mod service;
pub mod shoot;
pub mod sweep;

pub use crate::lab::{Lab, Options};
