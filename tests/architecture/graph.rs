//! What must not be in the built graph, from `cargo tree`. Cargo.lock is no witness: it lists
//! options that nobody takes.

use std::process::Command;

/// Each with what we use instead.
const BANNED: [(&str, &str); 7] = [
    ("ring", "aws-lc-rs"),
    ("openssl", "rustls"),
    ("openssl-sys", "rustls"),
    ("native-tls", "rustls"),
    ("chrono", "jiff"),
    ("serde_yaml", "serde-saphyr"),
    // `cargo tree` builds with default features, as a release does: crash points are in no release.
    ("fail", "it behind the feature failpoints of perennial-process, which is off by default"),
];

fn tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--workspace", "--target", "all", "--prefix", "none"])
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn banned_crates_are_not_in_the_built_graph() {
    let built = tree(&["-e", "normal,build", "--format", "{p}"]);
    let has = |name: &str| built.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(has("rustls") && has("jiff"), "cargo tree shows no graph");
    for (name, instead) in BANNED {
        assert!(!has(name), "{name} is in the built graph, use {instead}: cargo tree -i {name}");
    }
}
