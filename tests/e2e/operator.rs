//! `perennial`, the real binary, in the environment that the lab gives.

use std::process::Output;

use serde_json::Value;

use crate::house::House;

pub(crate) async fn perennial(house: &House, arguments: &[&str]) -> Output {
    tokio::process::Command::new("perennial")
        .args(arguments)
        .envs(house.lab.environment().unwrap())
        .output()
        .await
        .unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn json(output: &Output) -> Value {
    assert_eq!(code(output), 0, "{}", errors(output));
    serde_json::from_slice(&output.stdout).unwrap()
}
