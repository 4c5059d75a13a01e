//! The checked-in code is what the proto files say. `UPDATE=1` writes it anew (`make generate`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use prost::Message as _;

const TOKEN_MESSAGE: &str = ".perennial.issuer.v1.IssueTokenResponse";
/// Stands in for the derived Debug, which would print the token.
const REDACTING_DEBUG: &str = r#"
impl ::core::fmt::Debug for IssueTokenResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("IssueTokenResponse")
            .field("account_created", &self.account_created)
            .finish_non_exhaustive()
    }
}
"#;
const FILES: [&str; 10] = [
    "perennial/cli/v1/cli.proto",
    "perennial/issuer/v1/issuer.proto",
    "perennial/rpc/v1/failure.proto",
    "perennial/scheduler/v1/budget.proto",
    "perennial/scheduler/v1/campaign.proto",
    "perennial/scheduler/v1/forecast.proto",
    "perennial/scheduler/v1/pause.proto",
    "perennial/scheduler/v1/schedule.proto",
    "perennial/scheduler/v1/scheduler.proto",
    "perennial/writer/v1/writer.proto",
];

fn generate(out_dir: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let descriptors = protox::Compiler::new([&root])
        .unwrap()
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)
        .unwrap()
        .file_descriptor_set();
    fs::write(out_dir.join("descriptors.bin"), descriptors.encode_to_vec()).unwrap();
    tonic_prost_build::configure()
        .out_dir(out_dir)
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .skip_debug([TOKEN_MESSAGE])
        .btree_map(".")
        .compile_fds(descriptors)
        .unwrap();
    let issuer = out_dir.join("perennial.issuer.v1.rs");
    let code = fs::read_to_string(&issuer).unwrap();
    fs::write(issuer, code + REDACTING_DEBUG).unwrap();
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect()
}

#[test]
fn the_checked_in_code_is_what_the_proto_files_say() {
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen");
    if std::env::var_os("UPDATE").is_some() {
        generate(&checked_in);
        return;
    }
    let fresh = tempfile::tempdir().unwrap();
    generate(fresh.path());
    let (is, should_be) = (contents(&checked_in), contents(fresh.path()));
    assert!(is.keys().eq(should_be.keys()), "other files: run `make generate`");
    for (name, bytes) in should_be {
        assert!(is[&name] == bytes, "{name} is stale: run `make generate`");
    }
}
