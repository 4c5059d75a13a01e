//! The table in `docs/security.md` is the list of cases.

use super::cases::cases;

#[test]
fn the_table_of_the_documentation_is_what_is_tried() {
    let path = perennial_lab::repo::root().unwrap().join("docs/security.md");
    let text = std::fs::read_to_string(path).unwrap();
    let tried: Vec<String> =
        cases().iter().map(|case| format!("| {} | {} |", case.attempt, case.outcome)).collect();
    let told = rows_under("| the secret-writer | result |", &text);
    assert!(told == tried, "docs/security.md must have these rows:\n{}", tried.join("\n"));
}

/// The rows of the table with this head.
fn rows_under<'a>(head: &str, text: &'a str) -> Vec<&'a str> {
    let table = text.lines().skip_while(|line| *line != head);
    table.skip(2).take_while(|line| line.starts_with('|')).collect()
}
