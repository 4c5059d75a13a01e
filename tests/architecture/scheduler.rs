//! The scheduler never sees a token. RBAC holds that; and no part of the kube crate that handles
//! Secrets is named in its code, so that nobody comes to need more rights by accident.

use std::{fs, path::Path};

/// What of the kube crate is no way to a Secret.
const ALLOWED: [&str; 4] = ["call", "error", "own_namespace", "seed"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"))
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The words of each statement that names the kube crate.
fn named_of_kube(text: &str) -> impl Iterator<Item = &str> {
    let statements = text.split("perennial_kube::").skip(1);
    statements.flat_map(|rest| {
        let statement = rest.split(';').next().unwrap_or_default();
        statement.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
    })
}

#[test]
fn the_scheduler_names_nothing_of_kube_that_handles_secrets() {
    let library = fs::read_to_string(root().join("kube/src/lib.rs")).unwrap();
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let modules: Vec<&str> = modules.map(|name| name.trim_end_matches(';')).collect();
    assert!(ALLOWED.iter().all(|name| modules.contains(name)), "{modules:?}");
    let mut found = Vec::new();
    sources(&root().join("scheduler/src"), &mut found);
    let mut uses = 0;
    for (file, text) in &found {
        for word in named_of_kube(text) {
            uses += usize::from(word == "own_namespace");
            let is_denied = modules.contains(&word) && !ALLOWED.contains(&word);
            assert!(!is_denied, "{file} names perennial_kube::{word}");
        }
    }
    assert!(uses > 0, "how does the scheduler name the kube crate now?");
}
