//! The outage budget over the real services: whether it holds, for which token not, and why.

use std::time::Duration;

use perennial_core::keys;
use perennial_proto::scheduler::v1::{GetBudgetRequest, GetBudgetResponse};
use perennial_rpc::client::with_deadline;
use perennial_testing::access_secret::AccessSecret;
use tonic::Code;

use crate::house::{House, Setup, namespace, operator::DEADLINE};

const HOUR: u64 = 60 * 60;

impl House {
    async fn budget(&self, namespace: &str) -> Result<GetBudgetResponse, tonic::Status> {
        let request = GetBudgetRequest { namespace: namespace.to_owned() };
        let answer = self.scheduler().get_budget(with_deadline(request, DEADLINE)).await;
        answer.map(tonic::Response::into_inner)
    }
}

#[tokio::test]
async fn it_holds_for_tokens_of_the_lifetime_it_reckons_with_and_not_for_shorter_ones() {
    let survive = Some(Duration::from_secs(6 * HOUR));
    let house = House::settled(Setup { survive, ..Setup::default() }).await;
    house.ask(1, "a");
    house.all_fresh(2).await;
    let answer = house.budget("").await.unwrap();
    assert_eq!((answer.secrets, answer.holds), (2, 2), "{answer:?}");
    assert_eq!(answer.basis.unwrap().seconds, 26_250, "(12 h - 6 h - 10 min) / 80 %");
    assert!(answer.least_left.unwrap().seconds >= (6 * HOUR + 600).cast_signed());

    let short = AccessSecret::new(&namespace(1), "short", "short");
    house.seed.create(short.annotated(keys::TOKEN_LIFETIME, "1h").json());
    house.all_fresh(3).await;
    let answer = house.budget(&namespace(1)).await.unwrap();
    assert_eq!((answer.secrets, answer.holds), (3, 2), "{answer:?}");
    let [broken] = answer.broken.as_slice() else { panic!("{answer:?}") };
    assert_eq!((broken.why.as_str(), broken.count), ("lifetime_too_short", 1));
    let token = &broken.first[0];
    assert_eq!(token.secret, format!("{}/short", namespace(1)));
    assert_eq!(token.granted.unwrap().seconds, HOUR.cast_signed());
    assert_eq!(house.budget("shoot--none").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(house.budget("No Name").await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn without_a_budget_the_answer_says_what_would_be_survived() {
    let house = House::new().await;
    let answer = house.budget("").await.unwrap();
    assert!(answer.needed.is_none() && answer.shoot.is_none());
    assert_eq!((answer.secrets, answer.holds), (1, 1));
    assert_eq!(answer.basis.unwrap().seconds, (24 * HOUR).cast_signed());
    assert!(answer.least_left.unwrap().seconds > 0 && !answer.first_to_expire.is_empty());
}
