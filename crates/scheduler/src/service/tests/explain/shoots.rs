//! Something is wrong at the shoot or on the way to it.

use perennial_core::shoot::Credential;

use super::*;

fn away(detail: &str) -> ShootStatus {
    ShootStatus {
        reach: Reach::Unreachable,
        credential: Credential::None,
        detail: detail.to_owned(),
        ..reached()
    }
}

#[tokio::test]
async fn a_shoot_that_nobody_knows() {
    let stage = Stage::with(&bare(NAME), &[]);
    stage.at(HOUR);
    insta::assert_snapshot!(stage.trouble(State::WaitingForShoot).await);
}

#[tokio::test]
async fn a_shoot_that_refuses_the_connection() {
    let detail = "with the own credential: failed to read the key set: error trying to connect: tcp \
                  connect error: Connection refused (os error 111)";
    let stage = Stage::with(&held(), &[away(detail)]);
    stage.at(PLANNED + 600);
    let (orders, _) = stage.board.update(|fleet, now| fleet.tick(now));
    assert_eq!(orders, [], "nothing is asked of a shoot that is away");
    insta::assert_snapshot!(stage.trouble(State::WaitingForShoot).await);
}

#[tokio::test]
async fn a_shoot_that_takes_none_of_our_credentials() {
    let detail = "with the own credential: failed to read the key set: Unauthorized; put a \
                  kubeconfig with a valid credential into shoot-bootstrap-token-issuer";
    let stage = Stage::with(&bare(NAME), &[away(detail)]);
    stage.at(HOUR);
    insta::assert_snapshot!(stage.trouble(State::WaitingForShoot).await);
}

#[tokio::test]
async fn a_policy_that_refuses() {
    let refusal = format!(
        "{NAME} may not have a token of kube-system/perennial-token-issuer, the token-issuer's own \
         account: only the Secret shoot-access-token-issuer of the same namespace may; use another \
         ServiceAccount"
    );
    let stage = Stage::with(&bare(NAME), &[reached()]);
    stage.fail(&fault(Kind::Denied, "POLICY_OWN_ACCOUNT", &refusal));
    insta::assert_snapshot!(stage.trouble(State::BackingOff).await);
}

#[tokio::test]
async fn a_namespace_that_the_shoot_does_not_have() {
    let message = format!(
        "{SHOOT} has no namespace monitoring for ServiceAccount monitoring/prometheus; create it in \
         the shoot"
    );
    let stage = Stage::with(&bare(NAME), &[reached()]);
    for second in [0, 1, 3, 8] {
        stage.at(second);
        stage.fail(&fault(Kind::NotFound, "NAMESPACE_MISSING", &message));
    }
    insta::assert_snapshot!(stage.trouble(State::BackingOff).await);
}

#[tokio::test]
async fn a_shoot_that_asks_to_slow_down() {
    let message = format!(
        "{SHOOT}: with the own credential: failed to request a token for kube-system/kube-proxy: too \
         many requests, please try again later"
    );
    let told = fault(Kind::Throttled, "API_SERVER_THROTTLED", &message);
    let retry_after = Some(Duration::from_secs(90));
    let stage = Stage::with(&held(), &[reached()]);
    stage.at(PLANNED);
    stage.fail(&Fault { retry_after, blame: Blame::Shoot, ..told });
    insta::assert_snapshot!(stage.trouble(State::BackingOff).await);
}

#[tokio::test]
async fn a_failure_that_nobody_wrote_a_remedy_for() {
    let stage = Stage::with(&bare(NAME), &[reached()]);
    stage.fail(&fault(Kind::Internal, "NEWER_THAN_THIS_SCHEDULER", "the moon is in the way"));
    insta::assert_snapshot!(stage.trouble(State::BackingOff).await);
}
