//! `docs/contract.md` says where each clause is proved: the tests it names exist, and every clause
//! has one that carries its number.

use std::{collections::BTreeSet, fs, path::Path};

/// Clauses as they begin the name of a test. Those of section A have no numbers.
const CLAUSES: [&str; 17] = [
    "a_", "b1_", "b2_", "b3_", "b4_", "b5_", "b6_", "b7_", "b8_", "b9_", "b10_", "b11_", "b12_",
    "c_", "d_", "e_", "f_",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" {
            functions(&path, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| line.trim().split_once("fn "));
            found.extend(names.filter_map(|(_, rest)| Some(rest.split_once('(')?.0.to_owned())));
        }
    }
}

/// What stands between backticks and is named like a test: words joined by underscores.
fn tests_named_in(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            word.matches('_').count() >= 3 && word.chars().all(plain)
        })
        .collect()
}

#[test]
fn every_clause_is_proved_by_a_test_that_carries_its_number() {
    let text = fs::read_to_string(root().join("docs/contract.md")).unwrap();
    let named = tests_named_in(&text);
    let mut functions_found = BTreeSet::new();
    functions(&root().join("crates"), &mut functions_found);
    functions(&root().join("tests"), &mut functions_found);
    let missing: Vec<_> = named.iter().filter(|name| !functions_found.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/contract.md names tests that are not there: {missing:#?}");
    for clause in CLAUSES {
        let proved = named.iter().any(|name| name.starts_with(clause));
        assert!(proved, "docs/contract.md names no test for clause {clause}");
    }
}
