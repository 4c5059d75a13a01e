use perennial_core::{
    ca::CaHash,
    digest::Digest,
    generation::{Bound, Noted},
    inputs::{Inputs, InputsHash, Mode, Refusal},
    issued::{Issued, Left},
    labels::Labels,
    name::{AccountRef, SecretRef},
    reason::Reason,
    record::{Held, Obstacle, OtherWriter, Record, Stamp},
    storm::Memory,
    token::{Claims, TokenHash},
};
use perennial_proto::writer::v1::{self as proto, access_secret::Asks};

use super::{
    ConvertError, duration, duration_from, ends_from_proto, ends_to_proto, parsed, timestamp,
    timestamp_from,
};

/// A record as a message. It holds no token, as the record holds none.
#[must_use]
pub fn record_to_proto(record: &Record) -> proto::AccessSecret {
    let held = match &record.held {
        Held::Nothing => proto::Held::Nothing,
        Held::Unreadable => proto::Held::Unreadable,
        Held::Damaged(_) => proto::Held::Damaged,
        Held::Token(_) => proto::Held::Token,
        Held::InTarget => proto::Held::InTarget,
    };
    let (stamp, renew_timestamp) = match record.stamp {
        Stamp::Absent => (proto::Stamp::Absent, None),
        Stamp::Unreadable => (proto::Stamp::Unreadable, None),
        Stamp::At(moment) => (proto::Stamp::At, Some(timestamp(moment))),
    };
    let obstacle = match record.obstacle {
        None => proto::Obstacle::Unspecified,
        Some(Obstacle::Immutable) => proto::Obstacle::Immutable,
        Some(Obstacle::Terminating) => proto::Obstacle::Terminating,
    };
    proto::AccessSecret {
        namespace: record.secret.namespace.to_string(),
        name: record.secret.name.to_string(),
        uid: record.uid.to_string(),
        labels: record.labels.iter().map(|(key, value)| (key.into(), value.into())).collect(),
        digest: record.digest.to_string(),
        asks: Some(asks_to_proto(&record.inputs)),
        held: held.into(),
        claims: record.held.claims().map(claims_to_proto),
        issued: record.issued.as_ref().map(issued_to_proto),
        stamp: stamp.into(),
        renew_timestamp,
        obstacle: obstacle.into(),
        memory: record.memory.map(memory_to_proto),
        other_writer: record.other_writer.as_ref().map(|other| proto::OtherWriter {
            manager: other.manager.clone(),
            at: other.at.map(timestamp),
        }),
        ca_hash: record.ca.map(|ca| ca.0),
        left: record.left.iter().map(left_to_proto).collect(),
    }
}

/// A record out of a message.
///
/// # Errors
/// The first field that cannot be understood.
pub fn record_from_proto(message: proto::AccessSecret) -> Result<Record, ConvertError> {
    let secret = SecretRef {
        namespace: parsed("record.namespace", &message.namespace)?,
        name: parsed("record.name", &message.name)?,
    };
    let claims = message.claims.clone().map(claims_from_proto).transpose()?;
    let issued = match (message.issued.clone(), &claims) {
        (Some(issued), Some(claims)) => Some(issued_from_proto(issued, claims)?),
        _ => None,
    };
    let obstacle = match message.obstacle() {
        proto::Obstacle::Unspecified => None,
        proto::Obstacle::Immutable => Some(Obstacle::Immutable),
        proto::Obstacle::Terminating => Some(Obstacle::Terminating),
    };
    Ok(Record {
        secret,
        held: held_from_proto(message.held(), claims)?,
        issued,
        stamp: match message.stamp() {
            proto::Stamp::Absent => Stamp::Absent,
            proto::Stamp::At => {
                Stamp::At(timestamp_from("record.renew_timestamp", message.renew_timestamp)?)
            }
            proto::Stamp::Unreadable | proto::Stamp::Unspecified => Stamp::Unreadable,
        },
        obstacle,
        ca: message.ca_hash.map(CaHash),
        left: message.left.into_iter().map(left_from_proto).collect::<Result<_, _>>()?,
        memory: message.memory.map(memory_from_proto).transpose()?,
        other_writer: message.other_writer.map(other_writer_from_proto).transpose()?.map(Box::new),
        inputs: asks_from_proto(message.asks.ok_or_else(|| ConvertError::missing("record.asks"))?)?,
        digest: Digest::received(message.digest),
        uid: message.uid.into(),
        labels: Labels::of(&message.labels),
    })
}

fn held_from_proto(held: proto::Held, claims: Option<Claims>) -> Result<Held, ConvertError> {
    let claimed = || claims.ok_or_else(|| ConvertError::missing("record.claims"));
    match held {
        proto::Held::Nothing => Ok(Held::Nothing),
        proto::Held::Unreadable => Ok(Held::Unreadable),
        proto::Held::Damaged => claimed().map(Held::Damaged),
        proto::Held::Token => claimed().map(Held::Token),
        proto::Held::InTarget => Ok(Held::InTarget),
        proto::Held::Unspecified => Err(ConvertError::missing("record.held")),
    }
}

fn asks_to_proto(inputs: &Result<Inputs, Refusal>) -> Asks {
    match inputs {
        Ok(inputs) => Asks::Inputs(proto::Inputs {
            account_namespace: inputs.account.namespace.to_string(),
            account_name: inputs.account.name.to_string(),
            account_labels: inputs.account_labels.clone(),
            lifetime: Some(duration(std::time::Duration::from_secs(
                inputs.lifetime_seconds.unsigned_abs(),
            ))),
            audiences: inputs.audiences.to_vec(),
            inject_ca: inputs.inject_ca,
            mode: match inputs.mode {
                Mode::Token => proto::Mode::Token,
                Mode::Kubeconfig => proto::Mode::Kubeconfig,
            }
            .into(),
            target: inputs.target.as_ref().map(target_to_proto),
            revocable: inputs.revocable,
        }),
        Err(refusal) => Asks::Invalid(proto::Invalid {
            reason: refusal.reason.clone(),
            key: refusal.key.clone(),
            message: refusal.message.clone(),
        }),
    }
}

fn asks_from_proto(asks: Asks) -> Result<Result<Inputs, Refusal>, ConvertError> {
    let inputs = match asks {
        Asks::Invalid(proto::Invalid { reason, key, message }) => {
            return Ok(Err(Refusal { reason, key, message }));
        }
        Asks::Inputs(inputs) => inputs,
    };
    let mode = match inputs.mode() {
        proto::Mode::Kubeconfig => Mode::Kubeconfig,
        proto::Mode::Token => Mode::Token,
        proto::Mode::Unspecified => return Err(ConvertError::missing("inputs.mode")),
    };
    let lifetime = duration_from("inputs.lifetime", inputs.lifetime)?;
    Ok(Ok(Inputs {
        account: AccountRef {
            namespace: parsed("inputs.account_namespace", &inputs.account_namespace)?,
            name: parsed("inputs.account_name", &inputs.account_name)?,
        },
        account_labels: inputs.account_labels,
        lifetime_seconds: i64::try_from(lifetime.as_secs()).map_err(|_| ConvertError {
            field: "inputs.lifetime",
            problem: "is out of range".to_owned(),
        })?,
        audiences: inputs.audiences.into(),
        inject_ca: inputs.inject_ca,
        mode,
        target: inputs.target.map(target_from_proto).transpose()?,
        revocable: inputs.revocable,
    }))
}

fn target_to_proto(secret: &SecretRef) -> proto::TargetSecret {
    proto::TargetSecret { namespace: secret.namespace.to_string(), name: secret.name.to_string() }
}

fn target_from_proto(message: proto::TargetSecret) -> Result<SecretRef, ConvertError> {
    Ok(SecretRef {
        namespace: parsed("target.namespace", &message.namespace)?,
        name: parsed("target.name", &message.name)?,
    })
}

fn left_to_proto(left: &Left) -> proto::FormerTarget {
    proto::FormerTarget {
        secret: Some(target_to_proto(&left.secret)),
        sha256: left.sha256.to_string(),
    }
}

fn left_from_proto(message: proto::FormerTarget) -> Result<Left, ConvertError> {
    let secret = message.secret.ok_or_else(|| ConvertError::missing("left.secret"))?;
    Ok(Left { secret: target_from_proto(secret)?, sha256: TokenHash::received(message.sha256) })
}

fn claims_to_proto(claims: &Claims) -> proto::Claims {
    proto::Claims {
        issued_at: Some(timestamp(claims.issued_at)),
        expires_at: Some(timestamp(claims.expires_at)),
        issuer: claims.issuer.to_string(),
        account_namespace: claims.account.namespace.to_string(),
        account_name: claims.account.name.to_string(),
        account_uid: claims.account_uid.as_deref().unwrap_or_default().to_owned(),
        audiences: claims.audiences.to_vec(),
        key_id: claims.key_id.as_deref().unwrap_or_default().to_owned(),
        bound: claims
            .bound
            .as_ref()
            .map(|bound| proto::BoundSecret { name: bound.name.clone(), uid: bound.uid.clone() }),
    }
}

fn claims_from_proto(message: proto::Claims) -> Result<Claims, ConvertError> {
    let filled = |text: String| Some(text).filter(|text| !text.is_empty()).map(Into::into);
    Ok(Claims {
        issued_at: timestamp_from("claims.issued_at", message.issued_at)?,
        expires_at: timestamp_from("claims.expires_at", message.expires_at)?,
        issuer: message.issuer.into(),
        account: AccountRef {
            namespace: parsed("claims.account_namespace", &message.account_namespace)?,
            name: parsed("claims.account_name", &message.account_name)?,
        },
        account_uid: filled(message.account_uid),
        audiences: message.audiences.into(),
        key_id: filled(message.key_id),
        bound: message.bound.map(|proto::BoundSecret { name, uid }| Box::new(Bound { name, uid })),
    })
}

fn issued_to_proto(issued: &Issued) -> proto::Issued {
    proto::Issued {
        sha256: issued.sha256.to_string(),
        inputs_hash: issued.inputs.to_string(),
        renew_at: Some(timestamp(issued.renew_at)),
        reason: issued.reason.as_str().to_owned(),
        written_at: Some(timestamp(issued.at)),
        streak: issued.streak,
        spent: issued.spent,
        target: issued.target.as_ref().map(target_to_proto),
        left: issued.left.iter().map(left_to_proto).collect(),
        generation: issued.generation.as_ref().map(|noted| proto::NotedGeneration {
            number: noted.number,
            uid: noted.uid.clone(),
            older_until: noted.older_until.map(timestamp),
            sooner: ends_to_proto(&noted.sooner),
        }),
    }
}

/// The note repeats what the claims say; a record has a note only where both are of one token.
fn issued_from_proto(message: proto::Issued, claims: &Claims) -> Result<Issued, ConvertError> {
    Ok(Issued {
        sha256: TokenHash::received(message.sha256),
        inputs: InputsHash::received(message.inputs_hash),
        iat: claims.issued_at,
        exp: claims.expires_at,
        kid: claims.key_id.clone(),
        iss: claims.issuer.clone(),
        uid: claims.account_uid.clone(),
        renew_at: timestamp_from("issued.renew_at", message.renew_at)?,
        reason: Reason::named(&message.reason),
        at: timestamp_from("issued.written_at", message.written_at)?,
        streak: message.streak,
        spent: message.spent,
        target: message.target.map(target_from_proto).transpose()?,
        left: message.left.into_iter().map(left_from_proto).collect::<Result<_, _>>()?,
        generation: message.generation.map(noted_from_proto).transpose()?,
    })
}

fn noted_from_proto(message: proto::NotedGeneration) -> Result<Box<Noted>, ConvertError> {
    let proto::NotedGeneration { number, uid, older_until, sooner } = message;
    let moment = |at| timestamp_from("issued.generation.older_until", Some(at));
    let older_until = older_until.map(moment).transpose()?;
    let sooner = ends_from_proto("issued.generation.sooner", sooner)?;
    Ok(Box::new(Noted { number, uid, older_until, sooner }))
}

fn memory_to_proto(memory: Memory) -> proto::Memory {
    let Memory { at, streak, spent, stood_until } = memory;
    proto::Memory {
        at: Some(timestamp(at)),
        streak,
        spent,
        stood_until: stood_until.map(timestamp),
    }
}

fn memory_from_proto(message: proto::Memory) -> Result<Memory, ConvertError> {
    let stood_until = |at| timestamp_from("memory.stood_until", Some(at));
    Ok(Memory {
        at: timestamp_from("memory.at", message.at)?,
        streak: message.streak,
        spent: message.spent,
        stood_until: message.stood_until.map(stood_until).transpose()?,
    })
}

fn other_writer_from_proto(message: proto::OtherWriter) -> Result<OtherWriter, ConvertError> {
    let at = message.at.map(|at| timestamp_from("other_writer.at", Some(at))).transpose()?;
    Ok(OtherWriter { manager: message.manager, at })
}
