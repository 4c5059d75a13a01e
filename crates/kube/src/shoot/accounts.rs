//! The ServiceAccounts of a shoot: a watch of all of them, and a look at one.
//!
//! What arrives is reduced at once to what is compared; the object itself is not kept.

use futures::{Stream, StreamExt as _, future};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api,
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{inputs::LabelsHash, name::AccountRef, shoot::AccountState};

use super::{ShootClient, ownership};
use crate::{call, error::Error, rewatch::with_pauses};

/// Accounts in one answer of a list. One has 1 KiB as a rule, so an answer stays far below
/// [`super::ANSWER_BYTES_MAX`].
const PAGE: u32 = 200;
/// The API server ends a watch after so long and kube resumes it where it was. A connection that
/// died without a word is noticed 5 s after this, where the probe does not notice it before.
const WATCH_SECONDS: u32 = 120;

const OPERATION: &str = "watch ServiceAccounts";

/// A ServiceAccount, reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAccount {
    /// Which one.
    pub account: AccountRef,
    /// `metadata.uid`
    pub uid: Box<str>,
    /// What it is; never absent.
    pub state: AccountState,
}

/// What a watch tells.
#[derive(Debug)]
pub enum AccountChange {
    /// A list begins: what is not in it is not there.
    ListBegins,
    /// It was there when the list began.
    Listed(SeenAccount),
    /// The list is whole; from now on changes follow.
    ListComplete,
    /// It is new, or was changed.
    Upsert(SeenAccount),
    /// This one is gone; another one of its name may be there.
    Removed(SeenAccount),
    /// A call failed and is tried again after a pause.
    Trouble(Error),
}

impl ShootClient {
    /// Watches the accounts of all namespaces until dropped; never ends by itself. After a failure
    /// it pauses (0.8 s, doubling up to 5 s) and goes on. A page of a list that does not come is
    /// waited for without end: the caller has to bound that.
    pub fn watch_accounts(&self) -> impl Stream<Item = AccountChange> + Send + use<> {
        let api: Api<ServiceAccount> = Api::all(self.client.clone());
        let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
        with_pauses(watcher(api, config)).filter_map(|event| future::ready(change(event)))
    }

    /// Looks at one account; `None` where there is none. One GET, which the API server answers with
    /// what is true then.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn look_at_account(
        &self,
        account: &AccountRef,
    ) -> Result<Option<SeenAccount>, Error> {
        let accounts = self.accounts(account);
        let found = accounts.get_opt(account.name.as_str());
        let found = call::bounded(&format!("look at ServiceAccount {account}"), found).await?;
        Ok(found.as_ref().and_then(reduce))
    }
}

fn change(event: watcher::Result<Event<ServiceAccount>>) -> Option<AccountChange> {
    match event {
        Ok(Event::Init) => Some(AccountChange::ListBegins),
        Ok(Event::InitApply(object)) => reduce(&object).map(AccountChange::Listed),
        Ok(Event::InitDone) => Some(AccountChange::ListComplete),
        Ok(Event::Apply(object)) => reduce(&object).map(AccountChange::Upsert),
        Ok(Event::Delete(object)) => reduce(&object).map(AccountChange::Removed),
        Err(error) => Some(AccountChange::Trouble(trouble(error))),
    }
}

/// `None` for one without a name or uid, which no API server sends.
fn reduce(object: &ServiceAccount) -> Option<SeenAccount> {
    let meta = &object.metadata;
    let account = AccountRef {
        namespace: meta.namespace.as_deref()?.parse().ok()?,
        name: meta.name.as_deref()?.parse().ok()?,
    };
    let uid: Box<str> = meta.uid.as_deref()?.into();
    let state = match meta.deletion_timestamp {
        Some(_) => AccountState::Terminating,
        None => AccountState::Present {
            uid: (*uid).into(),
            automount_off: object.automount_service_account_token == Some(false),
            labels: LabelsHash::of(&ownership::labels(meta)),
        },
    };
    Some(SeenAccount { account, uid, state })
}

fn trouble(error: watcher::Error) -> Error {
    use watcher::Error::{
        InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed,
    };
    let cause = match error {
        InitialListFailed(cause) | WatchStartFailed(cause) | WatchFailed(cause) => cause,
        WatchError(status) => kube::Error::Api(status),
        NoResourceVersion => {
            let problem = "the list has no version".to_owned();
            return Error::Nonsense { operation: OPERATION.to_owned(), problem };
        }
    };
    Error::from_kube(OPERATION, cause)
}

#[cfg(test)]
mod tests;
