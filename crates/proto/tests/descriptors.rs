//! What must hold of every proto file: one field with a token, comments, and units.

use prost::Message as _;

#[test]
fn a_token_occurs_in_exactly_one_field() {
    let set = prost_types::FileDescriptorSet::decode(perennial_proto::FILE_DESCRIPTOR_SET).unwrap();
    let ours = set.file.iter().filter(|file| file.package().starts_with("perennial."));
    let fields = ours
        .flat_map(|file| &file.message_type)
        .flat_map(|message| message.field.iter().map(move |field| (message.name(), field.name())));
    let tokens: Vec<_> =
        fields.filter(|(_, field)| *field == "token" || field.ends_with("_credential")).collect();
    assert_eq!(tokens, [("IssueTokenResponse", "token")]);
}

#[test]
fn every_field_and_method_has_a_comment_and_lifetimes_are_durations() {
    let set = prost_types::FileDescriptorSet::decode(perennial_proto::FILE_DESCRIPTOR_SET).unwrap();
    for file in set.file.iter().filter(|file| file.package().starts_with("perennial.")) {
        let info = file.source_code_info.as_ref().unwrap();
        let commented = |path: &[i32]| {
            info.location.iter().any(|l| l.path == path && !l.leading_comments().is_empty())
        };
        for (s, service) in file.service.iter().enumerate() {
            for (m, method) in service.method.iter().enumerate() {
                let path = [6, i32::try_from(s).unwrap(), 2, i32::try_from(m).unwrap()];
                assert!(commented(&path), "{} has no comment", method.name());
            }
        }
        for message in &file.message_type {
            for field in &message.field {
                let is_duration = field.type_name() == ".google.protobuf.Duration";
                let named_like_one = field.name().contains("lifetime");
                assert!(!named_like_one || is_duration, "{}.{}", message.name(), field.name());
            }
        }
    }
}

#[test]
fn debug_of_the_answer_with_a_token_shows_none() {
    let answer = perennial_proto::issuer::v1::IssueTokenResponse {
        token: "eyJhbGciOi".to_owned(),
        ..Default::default()
    };
    assert!(!format!("{answer:?}").contains("eyJ"));
}
