//! Something is wrong with our services or with the seed.

use perennial_core::storm::Memory;

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

/// A token was issued for it, and the seed refused to take it.
async fn refused_by_the_seed() -> Stage {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(PLANNED);
    stage.fail(&Fault {
        message: format!("failed to write Secret {NAME}: it is forbidden"),
        ..fault(Kind::Denied, "SEED_FORBIDDEN", "")
    });
    let memory = Some(Memory::new(at(BEGIN + PLANNED), 3).spoilt());
    stage.hear(feed::Event::Upsert(Record { memory, ..held() }));
    stage
}

#[tokio::test]
async fn tokens_that_cannot_be_written_are_no_storm_of_somebody_else() {
    let stage = refused_by_the_seed().await;
    stage.at(PLANNED + 5);
    let shown = stage.trouble(State::Held).await;
    assert!(!shown.contains("who else") && !shown.contains("clocks"), "{shown}");
    let detail = stage.explain().await.schedule.unwrap().detail;
    assert_eq!(
        detail,
        "failed to write Secret shoot--lab--1/shoot-access-kube-scheduler: it is forbidden; the \
         Secret is held until 2026-11-23T17:07:52Z, because tokens were issued for it that could not be \
         written"
    );
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn a_renewal_that_an_operator_asked_for_and_that_failed_is_told_of_a_good_secret() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(HOUR);
    let request = |fleet: &mut perennial_fleet::Fleet, now| fleet.request(now, &named(NAME));
    stage.board.update(request).0.unwrap();
    stage.fail(&Fault {
        message: format!("failed to write Secret {NAME}: it is forbidden"),
        ..fault(Kind::Denied, "SEED_FORBIDDEN", "")
    });
    let memory = Some(Memory::new(at(BEGIN + HOUR), 2).spoilt());
    stage.hear(feed::Event::Upsert(Record { memory, ..held() }));
    stage.at(HOUR + 5);
    let shown = stage.trouble(State::Fresh).await;
    assert!(!shown.contains("tokens in a row were issued"), "told once: {shown}");
    assert!(shown.contains("the last renewal (requested, "), "{shown}");
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn a_secret_that_is_not_known_while_the_stream_is_broken_may_be_there_all_the_same() {
    let stage = Stage::with(&held(), &[reached()]);
    stage.hear(feed::Event::Lost);
    let request = ExplainScheduleRequest { namespace: "shoot-1".into(), name: "new".into() };
    let status = stage.service.explain_schedule(Request::new(request)).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "SECRET_NOT_KNOWN_YET")
    );
    assert!(status.message().contains("is the secret-writer ready?"), "{status}");
    let asked = stage.board.update(|fleet, now| fleet.request(now, &named("shoot-1/new"))).0;
    assert!(asked.unwrap_err().to_string().contains("the record stream is broken"));
}
