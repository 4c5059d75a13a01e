//! Stolen certificates that order tokens without end (contract, B12), for real.

use std::time::Duration;

use perennial_core::{
    clock::Clock as _,
    failure::{Failure as _, Kind},
};
use perennial_lab::shoot::namespace;
use perennial_process::clock::SystemClock;
use perennial_proto::{
    issuer::v1::{IssueTokenRequest, ServiceAccount, token_issuer_client::TokenIssuerClient},
    writer::v1::{
        GetAccessSecretRequest, RenewTokenRequest, secret_writer_client::SecretWriterClient,
    },
};
use perennial_rpc::client::Channel;
use perennial_rpc::status::Remote;
use tokio::time::{MissedTickBehavior, interval};
use tonic::Status;

use crate::house::House;

const SECRET: &str = "shoot-access-victim";
/// The token-issuer gives ten at once (the first, an allowance of eight, the first of the ladder) and
/// the next ones after 10, 30 and 70 s; one more would come after 150 s.
const ATTACK: Duration = Duration::from_secs(75);
const OF_ISSUER: u64 = 10 + 3;
/// The secret-writer gives one of the allowance each two seconds, so the next ones come after 0, 0,
/// 2, 4, … 16, 26 and 46 s; one more would after 86 s.
const OF_WRITER: u64 = 2 + 8 + 2;
/// Pause between two orders: some 700 in all.
const RHYTHM: Duration = Duration::from_millis(100);
/// Calls of one order that are under way at once.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn b12_stolen_certificates_that_order_without_end_get_thirteen_tokens_in_75_s() {
    let house = House::start(2, &[]).await;
    let mut before = Vec::new();
    for shoot in [1, 2] {
        before.push(tokens_granted(&house, shoot).await);
        house.ask(shoot, SECRET, &[]).await;
        house.wait_for_token(shoot, SECRET).await;
    }
    let (scheduler, secret_writer) =
        tokio::join!(stolen_scheduler(&house), stolen_secret_writer(&house));
    for (who, shoot, attack, most) in
        [("scheduler", 1, scheduler, OF_WRITER), ("secret-writer", 2, secret_writer, OF_ISSUER)]
    {
        let granted = tokens_granted(&house, shoot).await - before[shoot - 1];
        println!("stolen {who}: {granted} tokens, {attack:?}");
        assert!((most - 1..=most).contains(&granted), "{granted} tokens for the stolen {who}");
        assert!(attack.held > 100, "hardly an order was held: {attack:?}");

        let secret = house.wait_for_token(shoot, SECRET).await;
        let user = house.user_of(shoot, &secret).await;
        assert_eq!(user, "system:serviceaccount:kube-system:victim", "its token works");
    }
    house.end().await;
}

/// What came of it.
#[derive(Debug, Default)]
struct Attack {
    /// Seconds after the begin at which tokens came.
    tokens_after: Vec<u64>,
    held: u32,
}

impl Attack {
    /// Every answer without a token says what to do: wait, or look anew.
    fn take<T>(&mut self, after: Duration, answer: Result<T, Status>) {
        let Err(status) = answer else { return self.tokens_after.push(after.as_secs()) };
        let remote = Remote::from(status);
        match (remote.kind(), remote.reason()) {
            (Kind::Changed, _) => {}
            (
                Kind::Held,
                "ISSUE_HELD" | "ISSUE_UNDER_WAY" | "RENEWAL_HELD" | "RENEWAL_UNDER_WAY",
            ) => {
                assert!(remote.retry_after().is_some(), "no pause is named: {remote}");
                self.held += 1;
            }
            _ => panic!("{} {remote}", remote.reason()),
        }
    }
}

/// Calls in the rhythm until the attack is over.
async fn attack<T>(call: impl AsyncFn() -> Vec<Result<T, Status>>) -> Attack {
    let (begun, mut attack) = (SystemClock.now(), Attack::default());
    let mut rhythm = interval(RHYTHM);
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rhythm.tick().await;
        let answers = call().await;
        let after = SystemClock.now().duration_since(begun).unsigned_abs();
        if after >= ATTACK {
            return attack;
        }
        for answer in answers {
            attack.take(after, answer);
        }
    }
}

/// Orders renewals of what it sees, with plans that are over as soon as they are made.
async fn stolen_scheduler(house: &House) -> Attack {
    let writer = SecretWriterClient::new(house.channel("scheduler", "secret-writer"));
    let order = async |mut writer: SecretWriterClient<Channel>| {
        let (namespace, name) = (namespace(1), SECRET.to_owned());
        let get = GetAccessSecretRequest { namespace: namespace.clone(), name: name.clone() };
        let digest = writer.get_access_secret(get).await?.into_inner().record.unwrap().digest;
        let order = RenewTokenRequest {
            namespace,
            name,
            digest,
            reason: "requested".to_owned(),
            renewal_basis: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            window_from: 0.3,
            window_place: 0.0,
            request_id: "stolen".to_owned(),
            ..RenewTokenRequest::default()
        };
        writer.renew_token(order).await
    };
    attack(async || {
        let orders = (0..AT_ONCE).map(|_| order(writer.clone()));
        futures::future::join_all(orders).await
    })
    .await
}

/// Asks for tokens that it writes nowhere.
async fn stolen_secret_writer(house: &House) -> Attack {
    let issuer = TokenIssuerClient::new(house.channel("secret-writer", "token-issuer"));
    let ask = async |mut issuer: TokenIssuerClient<Channel>| {
        let account =
            ServiceAccount { namespace: "kube-system".to_owned(), name: "victim".to_owned() };
        let request = IssueTokenRequest {
            namespace: namespace(2),
            name: SECRET.to_owned(),
            account: Some(account),
            lifetime: Some(prost_types::Duration { seconds: 600, nanos: 0 }),
            ..IssueTokenRequest::default()
        };
        issuer.issue_token(request).await
    };
    attack(async || {
        let calls = (0..AT_ONCE).map(|_| ask(issuer.clone()));
        futures::future::join_all(calls).await
    })
    .await
}

async fn tokens_granted(house: &House, shoot: usize) -> u64 {
    house.lab.shoot(shoot).request_counts().await.unwrap().tokens_granted()
}
