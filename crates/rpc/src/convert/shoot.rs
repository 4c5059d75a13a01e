use jiff::Timestamp;
use perennial_core::{
    ca::CaHash,
    inputs::LabelsHash,
    kubeconfig::Endpoint,
    name::AccountRef,
    shoot::{AccountSeen, AccountState, Credential, Reach, ShootId, ShootStatus},
    signing::KeyHistory,
};
use perennial_proto::issuer::v1 as proto;

use super::{ConvertError, parsed, signed, signed_from, timestamp, timestamp_from};

/// A shoot status as a message.
#[must_use]
pub fn shoot_to_proto(status: &ShootStatus, address: &str) -> proto::Shoot {
    let reach = match status.reach {
        Reach::Unknown => proto::Reach::Unknown,
        Reach::Reachable => proto::Reach::Reachable,
        Reach::Unreachable => proto::Reach::Unreachable,
        Reach::Refused => proto::Reach::Refused,
    };
    let credential = match status.credential {
        Credential::None => proto::Credential::None,
        Credential::Bootstrap => proto::Credential::Bootstrap,
        Credential::Own => proto::Credential::Own,
    };
    proto::Shoot {
        namespace: status.shoot.to_string(),
        reach: reach.into(),
        credential: credential.into(),
        detail: status.detail.clone(),
        clock_offset: status.clock_offset.map(signed),
        checked_at: status.checked_at.map(timestamp),
        key_ids: status.key_ids.clone(),
        address: address.to_owned(),
        ca_hash: status.ca.map(|ca| ca.0),
        own_refused: status.own_refused.map(timestamp),
        connection: None,
        key_set_settled_since: status.key_history.settled_since.map(timestamp),
        retired_key_ids: status.key_history.retired.clone(),
        hibernated: status.hibernated,
    }
}

/// A shoot status out of a message.
///
/// # Errors
/// When its namespace is none.
pub fn shoot_from_proto(message: proto::Shoot) -> Result<ShootStatus, ConvertError> {
    let reach = match message.reach() {
        proto::Reach::Reachable => Reach::Reachable,
        proto::Reach::Unreachable => Reach::Unreachable,
        proto::Reach::Refused => Reach::Refused,
        proto::Reach::Unknown | proto::Reach::Unspecified => Reach::Unknown,
    };
    let credential = match message.credential() {
        proto::Credential::Own => Credential::Own,
        proto::Credential::Bootstrap => Credential::Bootstrap,
        proto::Credential::None | proto::Credential::Unspecified => Credential::None,
    };
    Ok(ShootStatus {
        reach,
        credential,
        detail: message.detail,
        clock_offset: message.clock_offset.map(signed_from),
        checked_at: optional("shoot.checked_at", message.checked_at)?,
        key_ids: message.key_ids,
        hibernated: message.hibernated,
        own_refused: optional("shoot.own_refused", message.own_refused)?,
        ca: message.ca_hash.map(CaHash),
        key_history: KeyHistory {
            settled_since: optional("shoot.key_set_settled_since", message.key_set_settled_since)?,
            retired: message.retired_key_ids,
        },
        ..ShootStatus::unseen(parsed("shoot.namespace", &message.namespace)?)
    })
}

/// A ServiceAccount as a message.
#[must_use]
pub fn account_to_proto(account: &AccountRef) -> proto::ServiceAccount {
    proto::ServiceAccount {
        namespace: account.namespace.to_string(),
        name: account.name.to_string(),
    }
}

/// A ServiceAccount out of a message.
///
/// # Errors
/// When it is missing or has a name that no API server takes.
pub fn account_from_proto(
    message: Option<proto::ServiceAccount>,
) -> Result<AccountRef, ConvertError> {
    let message = message.ok_or_else(|| ConvertError::missing("account"))?;
    Ok(AccountRef {
        namespace: parsed("account.namespace", &message.namespace)?,
        name: parsed("account.name", &message.name)?,
    })
}

/// What was seen of a ServiceAccount as a message.
#[must_use]
pub fn account_seen_to_proto(
    shoot: &ShootId,
    account: &AccountRef,
    seen: &AccountSeen,
) -> proto::AccountSeen {
    use proto::account_seen::State;
    let state = match &seen.state {
        AccountState::Present { uid, automount_off, labels } => {
            State::Present(proto::AccountPresent {
                uid: uid.to_string(),
                automount_off: *automount_off,
                labels_hash: labels.0,
            })
        }
        AccountState::Terminating => State::Terminating(proto::AccountTerminating {}),
        AccountState::Absent => State::Absent(proto::AccountAbsent {}),
    };
    proto::AccountSeen {
        shoot: shoot.to_string(),
        account: Some(account_to_proto(account)),
        state: Some(state),
        at: Some(timestamp(seen.at)),
    }
}

/// What was seen of a ServiceAccount out of a message.
///
/// # Errors
/// The field that cannot be understood.
pub fn account_seen_from_proto(
    message: proto::AccountSeen,
) -> Result<(ShootId, AccountRef, AccountSeen), ConvertError> {
    use proto::account_seen::State;
    let state = match message.state.ok_or_else(|| ConvertError::missing("account.state"))? {
        State::Present(present) => AccountState::Present {
            uid: present.uid.into(),
            automount_off: present.automount_off,
            labels: LabelsHash(present.labels_hash),
        },
        State::Terminating(_) => AccountState::Terminating,
        State::Absent(_) => AccountState::Absent,
    };
    let at = timestamp_from("account.at", message.at)?;
    Ok((
        parsed("account.shoot", &message.shoot)?,
        account_from_proto(message.account)?,
        AccountSeen { state, at },
    ))
}

/// Where a shoot is, out of a message.
///
/// # Errors
/// When it is nothing that we would connect to.
pub fn endpoint_from_proto(message: proto::Connection) -> Result<Endpoint, ConvertError> {
    let proto::Connection { server, ca_pem, tls_server_name } = message;
    let name = Some(tls_server_name).filter(|name| !name.is_empty());
    Endpoint::new(server, ca_pem, name)
        .map_err(|error| ConvertError { field: "shoot.connection", problem: error.to_string() })
}

fn optional(
    field: &'static str,
    moment: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, ConvertError> {
    moment.map(|moment| timestamp_from(field, Some(moment))).transpose()
}
