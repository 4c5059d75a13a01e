//! What cannot start says why in one line and ends with a code of its own; what may be temporary is
//! waited for, with the reason in `/readyz`.

mod cases;
mod program;
mod seed;

use futures::future::join_all;

use self::{cases::Bench, program::Program};

#[tokio::test]
async fn a_bad_start_is_one_clear_line_and_an_exit_code_of_its_own() {
    let bench = Bench::new();
    let wrong: Vec<String> = join_all(bench.cases().into_iter().map(async |case| {
        let ended = Program::start(case.service, &case.args).ended().await;
        println!("{:<14} {:<42} {:>3}  {}", case.service, case.trouble, ended.code, ended.said);
        let right = ended.code == case.code
            && ended.errors == 1
            && ended.said.contains(case.words)
            && !ended.stderr.contains(cases::SECRET);
        (!right).then(|| format!("{}, {}: {ended:#?}", case.service, case.trouble))
    }))
    .await
    .into_iter()
    .flatten()
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
