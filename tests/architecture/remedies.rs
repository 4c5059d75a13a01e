//! Every reason for which a renewal can fail has a remedy: whoever adds one is reminded here, and
//! not by somebody at night.

use std::{collections::BTreeSet, fs, path::Path};

use perennial_fleet::explain::remedy;

/// Crates whose errors reach the scheduler as the end of an attempt.
const SOURCES: [&str; 4] = ["kube", "rpc", "secret-writer", "token-issuer"];
/// Reasons of streams and of what is observed, which are no attempts.
const OF_STREAMS: [&str; 3] = ["STREAMS_BUSY", "WATCHES_MAX", "OBSERVED_TOO_MANY"];

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            found.push(product.to_owned());
        }
    }
}

/// The upper-case names on the right of an arm: `… => "SEED_FORBIDDEN",`.
fn reasons(text: &str) -> impl Iterator<Item = &str> {
    let right = text.lines().filter_map(|line| line.split_once("=> \"")?.1.split_once('"'));
    right.map(|(name, _)| name).filter(|name| {
        let upper = |c: char| c.is_ascii_uppercase() || c == '_';
        name.contains('_') && name.chars().all(upper)
    })
}

#[test]
fn every_reason_for_which_a_renewal_fails_has_a_remedy() {
    let mut texts = Vec::new();
    for name in SOURCES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name);
        sources(&folder.join("src"), &mut texts);
    }
    let reasons: BTreeSet<&str> = texts.iter().flat_map(|text| reasons(text)).collect();
    for known in ["SEED_FORBIDDEN", "NAMESPACE_MISSING", "PEER_UNREACHABLE", "RENEWAL_HELD"] {
        assert!(reasons.contains(known), "{known} is not found: how are reasons written now?");
    }
    let secret = perennial_core::name::SecretRef::parse("shoot", "secret").unwrap();
    let without: Vec<_> = reasons
        .into_iter()
        .filter(|reason| !OF_STREAMS.contains(reason))
        .filter(|reason| remedy::of(reason, &secret).is_none())
        .collect();
    assert!(
        without.is_empty(),
        "write a remedy in crates/fleet/src/explain/remedy/ for {without:?}"
    );
}
