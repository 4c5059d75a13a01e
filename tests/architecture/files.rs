//! Sizes and contents of the files we write ourselves.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

const FILE_LINES_MAX: usize = 500;
const MAIN_LINES_MAX: usize = 25;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files under version control and those about to be.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<String> = names.lines().map(str::to_owned).collect();
    assert!(names.len() > 50, "git lists no files");
    names.into_iter().filter(|name| root().join(name).is_file()).collect()
}

fn ours() -> impl Iterator<Item = (String, String)> {
    let generated = |name: &str| {
        name.contains("/src/gen/")
            || name.ends_with(".lock")
            || name.ends_with("go.sum")
            || name == "LICENSE"
    };
    files().into_iter().filter(move |name| !generated(name)).filter_map(|name| {
        let text = std::fs::read_to_string(root().join(&name)).ok()?;
        Some((name, text))
    })
}

#[test]
fn no_file_of_ours_is_too_long_to_be_read() {
    for (name, text) in ours() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{name} has {lines} lines");
        if name.ends_with("src/main.rs") {
            assert!(lines < MAIN_LINES_MAX, "{name} has {lines} lines: wire in the library");
        }
    }
}

#[test]
fn no_file_names_a_registry_or_a_folder_of_one_machine() {
    // Put together here, so that this file does not find itself.
    let hosts = ["crates", "index.crates", "static.crates"].map(|host| format!("{host}.io"));
    let proxies = ["proxy.golang", "sum.golang"].map(|host| format!("{host}.org"));
    let folders = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    for (name, text) in ours() {
        for word in hosts.iter().chain(&proxies).chain(&folders) {
            assert!(!text.contains(word.as_str()), "{name} contains {word}");
        }
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let words = ["TO", "FIX", "XX"].into_iter().zip(["DO", "ME", "X"]);
    let words: Vec<String> = words.map(|(head, tail)| format!("{head}{tail}")).collect();
    for (name, text) in ours().filter(|(name, _)| name.ends_with(".rs")) {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{name} contains {word}: open an issue");
        }
        let ignored = ["#[ig", "nore"].concat();
        assert!(!text.contains(&ignored), "{name} ignores a test");
    }
}
