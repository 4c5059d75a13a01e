//! The answer of every method that an operator may call, from the descriptors, by grpcurl.

use std::collections::BTreeMap;

use perennial_lab::sweep::{Sweep, places::Swept};
use perennial_rpc::{
    authorize::{Callers, METHODS},
    identity::Role,
};
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};

use super::scenes;
use crate::house::House;

/// Which service answers which package.
const PACKAGES: [(&str, &str); 3] = [
    ("perennial.issuer.v1", "token-issuer"),
    ("perennial.writer.v1", "secret-writer"),
    ("perennial.scheduler.v1", "scheduler"),
];
/// Longest answer that is waited for; streams end with it.
const SECONDS_MAX: &str = "4";

/// Asks everything there is to ask.
pub(super) async fn look(house: &House, sweep: &Sweep, swept: &mut Swept) {
    let inputs = inputs();
    let mut asked = 0;
    for (path, callers) in METHODS {
        let method = path.trim_start_matches('/');
        let package = PACKAGES.iter().find(|(package, _)| method.starts_with(package));
        let is_operators =
            matches!(callers, Callers::Roles(roles) if roles.contains(&Role::Operator));
        let (true, Some((_, service))) = (is_operators, package) else { continue };
        for request in requests(&inputs[method]) {
            let answer = grpcurl(house, service, &["-d", &request, method]).await;
            assert!(!answer.is_empty(), "{method} {request} says nothing");
            swept.look(sweep, answer.as_bytes(), &format!("{method} {request}"));
            asked += 1;
        }
    }
    assert!(asked >= 8, "only {asked} requests");
    for (package, service) in PACKAGES {
        let listed = grpcurl(house, service, &["list"]).await;
        assert!(listed.contains(package), "{listed}");
        let described = grpcurl(house, service, &["describe"]).await;
        assert!(described.contains("rpc "), "{described}");
        swept.look(sweep, format!("{listed}{described}").as_bytes(), "reflection");
        let health = grpcurl(house, service, &["grpc.health.v1.Health/Check"]).await;
        swept.look(sweep, health.as_bytes(), "health");
    }
}

/// The fields of each method's request.
fn inputs() -> BTreeMap<String, Vec<String>> {
    let set = FileDescriptorSet::decode(perennial_proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut inputs = BTreeMap::new();
    let fields = |type_name: &str| -> Vec<String> {
        let (package, name) = type_name.trim_start_matches('.').rsplit_once('.').unwrap();
        let files = set.file.iter().filter(|file| file.package() == package);
        let named = |message: &&DescriptorProto| message.name() == name;
        let message = files.flat_map(|file| &file.message_type).find(named).unwrap();
        message.field.iter().map(|field| field.name().to_owned()).collect()
    };
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("{}.{}/{}", file.package(), service.name(), method.name());
                inputs.insert(path, fields(method.input_type()));
            }
        }
    }
    inputs
}

/// One about each Secret of the scenes where a method is about one; else one about everything.
fn requests(fields: &[String]) -> Vec<String> {
    let has = |field: &str| fields.iter().any(|name| name == field);
    if has("namespace") && has("name") {
        let about = |(namespace, name): &(String, String)| {
            serde_json::json!({"namespace": namespace, "name": name}).to_string()
        };
        return scenes::secrets().iter().map(about).collect();
    }
    vec!["{}".to_owned()]
}

/// What it prints, refusals too.
async fn grpcurl(house: &House, service: &str, call: &[&str]) -> String {
    let of = |file: &str| house.lab.dir().certificates().join(file);
    let (flags, rest) = call.split_at(call.len() - 1);
    let output = tokio::process::Command::new(perennial_lab::binaries::grpcurl().await.unwrap())
        .arg("-cacert")
        .arg(of("ca.crt"))
        .arg("-cert")
        .arg(of("operator.crt"))
        .arg("-key")
        .arg(of("operator.key"))
        .args(["-max-time", SECONDS_MAX])
        .args(flags)
        .arg(house.lab.service(service).addr().to_string())
        .args(rest)
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}
