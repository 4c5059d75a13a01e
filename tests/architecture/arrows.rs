//! Which crate may know which, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The arrows of docs/ARCHITECTURE.md. A new one is a decision: draw it there first.
const ARROWS: [(&str, &[&str]); 16] = [
    ("core", &[]),
    ("proto", &[]),
    ("fleet", &["core"]),
    ("process", &["core"]),
    ("kube", &["core"]),
    ("rpc", &["core", "proto"]),
    ("token-issuer", &["core", "kube", "process", "proto", "rpc"]),
    ("secret-writer", &["core", "kube", "process", "proto", "rpc"]),
    ("scheduler", &["core", "fleet", "kube", "process", "proto", "rpc"]),
    ("cli", &["core", "process", "proto", "rpc"]),
    ("lab", &["cli", "core", "kube", "process", "proto", "rpc"]),
    ("testing", &["core"]),
    ("bench", &["core", "kube", "lab", "process", "proto", "rpc"]),
    ("fuzz", &["core"]),
    ("sim", &["core", "fleet"]),
    ("model", &["core"]),
];

/// Crates that only some of ours may name.
const ADAPTERS: [(&str, &[&str]); 11] = [
    ("kube", &["bench", "kube", "lab", "tests"]),
    ("k8s-openapi", &["bench", "kube", "lab", "tests"]),
    (
        "tonic",
        &[
            "proto",
            "rpc",
            "token-issuer",
            "secret-writer",
            "scheduler",
            "cli",
            "lab",
            "bench",
            "tests",
        ],
    ),
    ("prost", &["proto", "rpc"]),
    ("prost-reflect", &["cli"]),
    ("rustls", &["bench", "rpc", "process"]),
    ("axum", &["process", "testing"]),
    ("opentelemetry", &["process", "rpc"]),
    ("opentelemetry_sdk", &["process", "rpc"]),
    ("opentelemetry-otlp", &["process"]),
    ("tracing-opentelemetry", &["process", "rpc"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().other_options(vec!["--locked".to_owned()]).exec().unwrap()
}

/// Direct dependencies of each of our crates, without those of tests.
fn dependencies(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let of = |package: &cargo_metadata::Package| {
        let normal = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        normal.map(|dependency| dependency.name.clone()).collect()
    };
    let short = |name: &str| name.strip_prefix("perennial-").unwrap_or(name).to_owned();
    metadata.packages.iter().map(|package| (short(package.name.as_str()), of(package))).collect()
}

#[test]
fn arrows_between_our_crates_point_one_way() {
    let dependencies = dependencies(&metadata());
    for (name, allowed) in ARROWS {
        let of = dependencies.get(name).unwrap_or_else(|| panic!("no crate {name}"));
        let ours: BTreeSet<&str> =
            of.iter().filter_map(|dependency| dependency.strip_prefix("perennial-")).collect();
        let surplus: Vec<_> = ours.iter().filter(|name| !allowed.contains(*name)).collect();
        assert!(surplus.is_empty(), "{name} must not know {surplus:?}");
    }
    let unlisted: Vec<_> = dependencies
        .keys()
        .filter(|name| *name != "tests" && !ARROWS.iter().any(|(known, _)| known == *name))
        .collect();
    assert!(unlisted.is_empty(), "give these a line in ARROWS: {unlisted:?}");
}

#[test]
fn only_the_adapters_name_kube_tonic_tls_and_opentelemetry() {
    for (name, of) in dependencies(&metadata()) {
        for (foreign, allowed) in ADAPTERS {
            let names_it = of.contains(foreign);
            assert!(
                !names_it || allowed.contains(&name.as_str()),
                "{name} must not name {foreign}"
            );
        }
    }
}

#[test]
fn core_fleet_sim_and_model_know_no_runtime_no_wire_and_no_cluster() {
    let dependencies = dependencies(&metadata());
    for name in ["core", "fleet", "sim", "model"] {
        for foreign in ["tokio", "futures", "tonic", "prost", "kube", "k8s-openapi", "tracing"] {
            assert!(!dependencies[name].contains(foreign), "{name} must not name {foreign}");
        }
    }
}
