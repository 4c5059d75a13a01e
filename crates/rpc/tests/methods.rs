//! The table of callers and the proto files name the same methods: a new method without a rule
//! fails here before it is denied to everybody.

use std::collections::BTreeSet;

use perennial_rpc::authorize::METHODS;
use prost::Message as _;

#[test]
fn every_method_of_the_proto_files_has_its_callers_and_none_is_left_over() {
    let set = prost_types::FileDescriptorSet::decode(perennial_proto::FILE_DESCRIPTOR_SET).unwrap();
    let defined: BTreeSet<String> = set
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
        .flat_map(|(package, service)| {
            let path = format!("/{package}.{}/", service.name());
            service.method.iter().map(move |method| format!("{path}{}", method.name()))
        })
        .collect();
    let ruled: BTreeSet<String> = METHODS
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .filter(|path| path.starts_with("/perennial."))
        .collect();
    assert_eq!(defined, ruled);
    assert!(!defined.is_empty());
}
