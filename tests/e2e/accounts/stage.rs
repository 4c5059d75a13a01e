//! A shoot whose ServiceAccounts strangers change.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use perennial_core::clock::Clock as _;
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use serde_json::{Value, json};

use crate::house::{Counts, House, MOMENT, claims};

/// Within this a new token is there, or drift put back.
pub(super) const SOON: Duration = Duration::from_secs(10);
pub(super) const PROXY: &str = "kube-proxy";

pub(super) struct Stage {
    pub(super) house: House,
    pub(super) accounts: Api<ServiceAccount>,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let house = House::start(1, &[]).await;
        let accounts = Api::namespaced(house.lab.shoot(1).client(), "kube-system");
        Self { house, accounts }
    }

    pub(super) async fn account(&self, name: &str) -> ServiceAccount {
        self.accounts.get(name).await.unwrap()
    }

    pub(super) async fn uid(&self, name: &str) -> String {
        self.account(name).await.metadata.uid.unwrap()
    }

    pub(super) async fn delete(&self, name: &str) {
        self.accounts.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// As somebody makes it who knows nothing of us. Gives back its uid.
    pub(super) async fn make(&self, name: &str) -> String {
        let object = json!({"metadata": {"name": name, "labels": {"team": "x"}}});
        let object = serde_json::from_value(object).unwrap();
        let made = self.accounts.create(&PostParams::default(), &object).await.unwrap();
        made.metadata.uid.unwrap()
    }

    /// Changes an account as `manager` does.
    pub(super) async fn change(&self, manager: &str, name: &str, change: Value) {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..<_>::default() };
        self.accounts.patch(name, &params, &Patch::Merge(change)).await.unwrap();
    }

    /// Waits until a token of this uid stands in the Secret, within [`SOON`] of `begin`.
    pub(super) async fn wait_for_uid(&self, secret: &str, uid: &str, begin: Timestamp) {
        let fits = |secret: &_| {
            claims(secret).and_then(|claims| claims.account_uid).as_deref() == Some(uid)
        };
        self.house.wait(1, secret, &format!("a token of uid {uid}"), fits).await;
        within(begin, &format!("{secret}: a token of the uid that is there now"));
    }

    /// Waits until an account is there that is not this one, and gives back its uid.
    pub(super) async fn wait_for_another(&self, name: &str, uid: &str) -> String {
        let look = async || {
            let there = self.accounts.get_opt(name).await?.and_then(|found| found.metadata.uid);
            Ok(match there.filter(|there| there != uid) {
                Some(there) => Look::Done(there),
                None => Look::Waiting(format!("{uid} was the last")),
            })
        };
        until(&format!("another {name}"), MOMENT, look).await.unwrap()
    }

    /// Waits until the account has exactly these labels and mounts no token, within [`SOON`].
    pub(super) async fn wait_for_labels(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        begin: Timestamp,
    ) {
        let wanted: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let look = async || {
            let account = self.accounts.get(name).await?;
            let labels = account.metadata.labels.unwrap_or_default();
            let automount = account.automount_service_account_token;
            Ok(match labels == wanted && automount == Some(false) {
                true => Look::Done(()),
                false => Look::Waiting(format!("{labels:?}, automount {automount:?}")),
            })
        };
        until(&format!("{name} with labels {labels:?}"), MOMENT, look).await.unwrap();
        within(begin, &format!("{name}: labels {labels:?}"));
    }

    /// How many tokens were granted since, and that nobody asked for a review.
    pub(super) async fn granted_since(&self, before: &Counts) -> u64 {
        let spent = self.house.counts().await.since(before);
        assert_eq!(spent.shoot.token_reviews(), 0, "{:?}", spent.shoot);
        spent.shoot.tokens_granted()
    }
}

fn within(begin: Timestamp, what: &str) {
    let took = SystemClock.now().duration_since(begin);
    println!("{what} after {took:.1?}");
    assert!(took < SignedDuration::try_from(SOON).unwrap(), "{what} after {took:?}");
}
