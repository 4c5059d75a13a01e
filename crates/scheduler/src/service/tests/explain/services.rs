//! Something is wrong with our services or with the seed.

use super::*;

#[tokio::test]
async fn a_secret_writer_that_is_away() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(PLANNED);
    stage.fail(&Fault {
        message: "tcp connect error: Connection refused (os error 111)".to_owned(),
        blame: Blame::Writer,
        ..fault(Kind::Unavailable, "PEER_UNREACHABLE", "")
    });
    insta::assert_snapshot!(stage.trouble(State::Due).await);
}

#[tokio::test]
async fn a_record_stream_that_broke_while_all_was_well() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(HOUR);
    stage.hear(feed::Event::Lost);
    let verdict = stage.explain().await.verdict.unwrap();
    assert!(verdict.cause.starts_with("Nothing is renewed at the moment"), "{verdict:?}");
    assert!(verdict.remedy.contains("secret-writer"), "{verdict:?}");
}

#[tokio::test]
async fn a_token_issuer_that_is_not_heard() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(HOUR);
    stage.hear_shoot(feed::Event::Lost);
    let verdict = stage.explain().await.verdict.unwrap();
    assert!(verdict.remedy.contains("token-issuer"), "{verdict:?}");
}

#[tokio::test]
async fn a_seed_that_refuses_the_write() {
    let message = "failed to write Secret shoot--lab--1/shoot-access-kube-scheduler: secrets \
                   \"shoot-access-kube-scheduler\" is forbidden: User \
                   \"system:serviceaccount:perennial-system:secret-writer\" cannot patch resource \
                   \"secrets\" in API group \"\" in the namespace \"shoot--lab--1\"";
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(PLANNED);
    let refused = fault(Kind::Denied, "SEED_FORBIDDEN", "");
    stage.fail(&Fault { message: message.to_owned(), ..refused });
    insta::assert_snapshot!(stage.trouble(State::BackingOff).await);
}
