use perennial_core::shoot::{Credential, Reach, ShootStatus};
use perennial_proto::issuer::v1 as proto;

use super::{ConvertError, parsed, signed, signed_from, timestamp, timestamp_from};

/// A shoot status as a message.
#[must_use]
pub fn shoot_to_proto(status: &ShootStatus, address: &str) -> proto::Shoot {
    let reach = match status.reach {
        Reach::Unknown => proto::Reach::Unknown,
        Reach::Reachable => proto::Reach::Reachable,
        Reach::Unreachable => proto::Reach::Unreachable,
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
        proto::Reach::Unknown | proto::Reach::Unspecified => Reach::Unknown,
    };
    let credential = match message.credential() {
        proto::Credential::Own => Credential::Own,
        proto::Credential::Bootstrap => Credential::Bootstrap,
        proto::Credential::None | proto::Credential::Unspecified => Credential::None,
    };
    Ok(ShootStatus {
        shoot: parsed("shoot.namespace", &message.namespace)?,
        reach,
        credential,
        detail: message.detail,
        clock_offset: message.clock_offset.map(signed_from),
        checked_at: message
            .checked_at
            .map(|moment| timestamp_from("shoot.checked_at", Some(moment)))
            .transpose()?,
        key_ids: message.key_ids,
    })
}
