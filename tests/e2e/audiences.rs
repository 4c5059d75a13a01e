//! What `perennial.dev/audiences` does: a token opens the shoot only if it is for its API server.

use std::time::Duration;

use k8s_openapi::api::{
    authentication::v1::{SelfSubjectReview, TokenReview, TokenReviewSpec},
    core::v1::Secret,
};
use kube::{Api, api::PostParams};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{access_secret::token, kubeconfig::Credential, service::AUDIENCE};
use perennial_process::clock::SystemClock;

use crate::house::{House, claims};

/// The shoots of the lab accept `kubernetes` and `gardener`.
const ELSEWHERE: &str = "elsewhere";
/// Contract C: from a changed annotation to the token for it.
const CHANGED_MAX: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_audiences_a_token_for_another_audience_is_refused_by_the_shoot() {
    let house = House::start(1, &[]).await;
    let of = |audiences: &'static str| [(keys::AUDIENCES, audiences)];
    house.ask(1, "shoot-access-default", &[]).await;
    house.ask(1, "shoot-access-elsewhere", &of(ELSEWHERE)).await;
    house.ask(1, "shoot-access-kubernetes", &of("kubernetes")).await;
    house.ask(1, "shoot-access-both", &of("elsewhere,kubernetes")).await;

    // `--audience` of the installation, and what overrides it on the Secret.
    for (name, audiences, status) in [
        ("shoot-access-default", &[AUDIENCE] as &[&str], 201),
        ("shoot-access-elsewhere", &[ELSEWHERE], 401),
        ("shoot-access-kubernetes", &["kubernetes"], 201),
        ("shoot-access-both", &[ELSEWHERE, "kubernetes"], 201),
    ] {
        let secret = house.wait_for_token(1, name).await;
        let answer = status_at_shoot(&secret, &house).await;
        println!("{name}: for {:?}, the shoot answers {answer}", audiences_of(&secret));
        assert_eq!(audiences_of(&secret), audiences, "{name}");
        assert_eq!(answer, status, "{name}");
    }

    // There is nothing else wrong with the refused token: who asks for that audience gets it.
    let refused = house.wait_for_token(1, "shoot-access-elsewhere").await;
    assert!(reviewed_for(ELSEWHERE, &refused, &house).await);
    assert!(!reviewed_for("kubernetes", &refused, &house).await);

    let begin = SystemClock.now();
    house.annotate(1, "shoot-access-elsewhere", keys::AUDIENCES, None).await;
    let default = |secret: &Secret| audiences_of(secret) == [AUDIENCE];
    let healed = house.wait(1, "shoot-access-elsewhere", "a token for us", default).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    println!("without the annotation: for {:?} after {took:.1?}", audiences_of(&healed));
    assert_eq!(status_at_shoot(&healed, &house).await, 201);
    assert!(took < CHANGED_MAX, "{took:?}");
    house.end().await;
}

fn audiences_of(secret: &Secret) -> Vec<String> {
    claims(secret).unwrap().audiences.into()
}

/// What the shoot answers to who comes with this token.
async fn status_at_shoot(secret: &Secret, house: &House) -> u16 {
    let token = token(secret).unwrap();
    let client = house.lab.shoot(1).client_with(&Credential::Token(&token)).await.unwrap();
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    match reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await {
        Ok(_) => 201,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the shoot vouches for the token before somebody of this audience.
async fn reviewed_for(audience: &str, secret: &Secret, house: &House) -> bool {
    let spec = TokenReviewSpec {
        token: token(secret).unwrap(),
        audiences: Some(vec![audience.to_owned()]),
    };
    let review = TokenReview { spec, ..TokenReview::default() };
    let reviews: Api<TokenReview> = Api::all(house.lab.shoot(1).client());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().authenticated == Some(true)
}
