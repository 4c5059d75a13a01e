use perennial_core::{
    ca::CaHash,
    generation::Bound,
    inputs::Mode,
    issued::Left,
    name::SecretRef,
    shoot::ShootId,
    target::{TargetHeld, TargetSeen, TargetState},
    token::{Claims, TokenHash},
};
use perennial_proto::issuer::v1::{self as proto, target_present, target_seen::State};

use super::{
    ConvertError, account_from_proto, account_to_proto, parsed, timestamp, timestamp_from,
};

/// A Secret in a shoot as a message.
#[must_use]
pub fn target_to_proto(secret: &SecretRef) -> proto::TargetSecret {
    proto::TargetSecret { namespace: secret.namespace.to_string(), name: secret.name.to_string() }
}

/// A Secret in a shoot out of a message.
///
/// # Errors
/// When it is missing or has a name that no API server takes.
pub fn target_from_proto(message: Option<proto::TargetSecret>) -> Result<SecretRef, ConvertError> {
    let message = message.ok_or_else(|| ConvertError::missing("target"))?;
    Ok(SecretRef {
        namespace: parsed("target.namespace", &message.namespace)?,
        name: parsed("target.name", &message.name)?,
    })
}

/// A former target as a message.
#[must_use]
pub fn left_to_proto(left: &Left) -> proto::FormerTarget {
    proto::FormerTarget {
        secret: Some(target_to_proto(&left.secret)),
        sha256: left.sha256.to_string(),
    }
}

/// A former target out of a message.
///
/// # Errors
/// Those of [`target_from_proto`].
pub fn left_from_proto(message: proto::FormerTarget) -> Result<Left, ConvertError> {
    let secret = target_from_proto(message.secret)?;
    Ok(Left { secret, sha256: TokenHash::received(message.sha256) })
}

/// A token that stands in a target as a message.
#[must_use]
pub fn delivered_to_proto(claims: &Claims, sha256: &TokenHash) -> proto::DeliveredToken {
    proto::DeliveredToken {
        sha256: sha256.to_string(),
        claims: Some(proto::TokenClaims {
            issued_at: Some(timestamp(claims.issued_at)),
            expires_at: Some(timestamp(claims.expires_at)),
            issuer: claims.issuer.to_string(),
            account: Some(account_to_proto(&claims.account)),
            account_uid: claims.account_uid.as_deref().unwrap_or_default().to_owned(),
            audiences: claims.audiences.to_vec(),
            key_id: claims.key_id.as_deref().unwrap_or_default().to_owned(),
            bound: claims.bound.as_ref().map(|bound| proto::BoundSecret {
                name: bound.name.clone(),
                uid: bound.uid.clone(),
            }),
        }),
    }
}

/// A token that stands in a target out of a message.
///
/// # Errors
/// The field that cannot be understood.
pub fn delivered_from_proto(
    message: proto::DeliveredToken,
) -> Result<(Claims, TokenHash), ConvertError> {
    let claims = message.claims.ok_or_else(|| ConvertError::missing("token.claims"))?;
    let filled = |text: String| Some(text).filter(|text| !text.is_empty()).map(Into::into);
    let claims = Claims {
        issued_at: timestamp_from("claims.issued_at", claims.issued_at)?,
        expires_at: timestamp_from("claims.expires_at", claims.expires_at)?,
        issuer: claims.issuer.into(),
        account: account_from_proto(claims.account)?,
        account_uid: filled(claims.account_uid),
        audiences: claims.audiences.into(),
        key_id: filled(claims.key_id),
        bound: claims.bound.map(|proto::BoundSecret { name, uid }| Box::new(Bound { name, uid })),
    };
    Ok((claims, TokenHash::received(message.sha256)))
}

/// What was seen of a target as a message.
#[must_use]
pub fn target_seen_to_proto(
    shoot: &ShootId,
    target: &SecretRef,
    seen: &TargetSeen,
) -> proto::TargetSeen {
    let state = match &seen.state {
        TargetState::Absent => State::Absent(proto::TargetAbsent {}),
        TargetState::Present { held, mode, ca } => State::Present(proto::TargetPresent {
            held: match held {
                TargetHeld::Nothing => None,
                TargetHeld::Unreadable => {
                    Some(target_present::Held::Unreadable(proto::UnreadableToken {}))
                }
                TargetHeld::Token { claims, sha256 } => {
                    Some(target_present::Held::Readable(delivered_to_proto(claims, sha256)))
                }
            },
            kubeconfig: *mode == Mode::Kubeconfig,
            ca_hash: ca.map(|ca| ca.0),
        }),
    };
    proto::TargetSeen {
        shoot: shoot.to_string(),
        target: Some(target_to_proto(target)),
        state: Some(state),
        at: Some(timestamp(seen.at)),
    }
}

/// What was seen of a target out of a message.
///
/// # Errors
/// The field that cannot be understood.
pub fn target_seen_from_proto(
    message: proto::TargetSeen,
) -> Result<(ShootId, SecretRef, TargetSeen), ConvertError> {
    let state = match message.state.ok_or_else(|| ConvertError::missing("target.state"))? {
        State::Absent(_) => TargetState::Absent,
        State::Present(present) => TargetState::Present {
            held: match present.held {
                None => TargetHeld::Nothing,
                Some(target_present::Held::Unreadable(_)) => TargetHeld::Unreadable,
                Some(target_present::Held::Readable(token)) => {
                    let (claims, sha256) = delivered_from_proto(token)?;
                    TargetHeld::Token { claims: Box::new(claims), sha256 }
                }
            },
            mode: if present.kubeconfig { Mode::Kubeconfig } else { Mode::Token },
            ca: present.ca_hash.map(CaHash),
        },
    };
    let at = timestamp_from("target.at", message.at)?;
    Ok((
        parsed("target.shoot", &message.shoot)?,
        target_from_proto(message.target)?,
        TargetSeen { state, at },
    ))
}

#[cfg(test)]
mod tests {
    use perennial_core::token::Claims;

    use super::*;

    #[test]
    fn b7_what_was_seen_of_a_target_survives_the_way() {
        let claims = Claims {
            issued_at: jiff::Timestamp::UNIX_EPOCH,
            expires_at: jiff::Timestamp::from_second(600).unwrap(),
            issuer: "https://shoot.example".into(),
            account: "kube-system/kube-proxy".parse().unwrap(),
            account_uid: Some("uid".into()),
            audiences: vec!["a".to_owned()].into(),
            key_id: None,
            bound: Some(Box::new(Bound { name: "x".to_owned(), uid: "y".to_owned() })),
        };
        let token = TargetHeld::Token { claims: Box::new(claims), sha256: TokenHash::of(b"x") };
        let states = [TargetHeld::Nothing, TargetHeld::Unreadable, token]
            .map(|held| TargetState::Present { held, mode: Mode::Kubeconfig, ca: Some(CaHash(7)) });
        let (shoot, target) =
            ("shoot--lab--1".parse().unwrap(), SecretRef::parse("kube-system", "x").unwrap());
        for state in states.into_iter().chain([TargetState::Absent]) {
            let seen = TargetSeen { state, at: jiff::Timestamp::UNIX_EPOCH };
            let message = target_seen_to_proto(&shoot, &target, &seen);
            let back = target_seen_from_proto(message).unwrap();
            assert_eq!(back, (shoot.clone(), target.clone(), seen));
        }
    }
}
