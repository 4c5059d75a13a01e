use perennial_core::{
    generation::{End, Ends, Family, Generation, GenerationsSeen, Number},
    shoot::ShootId,
};
use perennial_proto::{issuer::v1 as proto, writer::v1 as writer};

use super::{ConvertError, duration, duration_from_optional, parsed, timestamp, timestamp_from};

/// A family of generations as a message.
#[must_use]
pub fn family_to_proto(family: &Family) -> proto::GenerationFamily {
    proto::GenerationFamily {
        namespace: family.namespace.to_string(),
        secret: family.secret.to_string(),
    }
}

/// A family of generations out of a message.
///
/// # Errors
/// When it is missing or has a name that no API server takes.
pub fn family_from_proto(message: Option<proto::GenerationFamily>) -> Result<Family, ConvertError> {
    let message = message.ok_or_else(|| ConvertError::missing("family"))?;
    Ok(Family {
        namespace: parsed("family.namespace", &message.namespace)?,
        secret: parsed("family.secret", &message.secret)?,
    })
}

/// What was seen of generations as a message.
#[must_use]
pub fn generations_seen_to_proto(
    shoot: &ShootId,
    family: &Family,
    seen: &GenerationsSeen,
) -> proto::GenerationsSeen {
    let present = seen.present.iter().map(|generation| proto::Generation {
        number: generation.number,
        uid: generation.uid.to_string(),
        grace: generation.grace.map(duration),
        made_at: generation.made.map(timestamp),
    });
    proto::GenerationsSeen {
        shoot: shoot.to_string(),
        family: Some(family_to_proto(family)),
        present: present.collect(),
        at: Some(timestamp(seen.at)),
    }
}

/// What was seen of generations out of a message.
///
/// # Errors
/// The field that cannot be understood.
pub fn generations_seen_from_proto(
    message: proto::GenerationsSeen,
) -> Result<(ShootId, Family, GenerationsSeen), ConvertError> {
    let present = message.present.into_iter().map(|generation| {
        Ok(Generation {
            number: number("generations.number", generation.number)?,
            uid: generation.uid.into(),
            grace: duration_from_optional("generations.grace", generation.grace)?,
            made: generation
                .made_at
                .map(|made| timestamp_from("generations.made_at", Some(made)))
                .transpose()?,
        })
    });
    let mut present = present.collect::<Result<Vec<_>, ConvertError>>()?;
    present.sort_unstable_by_key(|generation| generation.number);
    let at = timestamp_from("generations.at", message.at)?;
    Ok((
        parsed("generations.shoot", &message.shoot)?,
        family_from_proto(message.family)?,
        GenerationsSeen { present, at },
    ))
}

/// Most ends in one message. Ours have at most [`perennial_core::generation::ENDS_MAX`] and one more.
const ENDS_TAKEN_MAX: usize = 16;

/// The ends of older generations as messages.
#[must_use]
pub fn ends_to_proto(ends: &Ends) -> Vec<writer::GenerationEnd> {
    let message =
        |end: End| writer::GenerationEnd { up_to: end.up_to, until: Some(timestamp(end.until)) };
    ends.iter().map(message).collect()
}

/// The ends of older generations out of messages.
///
/// # Errors
/// When there are too many, or one has no moment.
pub fn ends_from_proto(
    field: &'static str,
    messages: Vec<writer::GenerationEnd>,
) -> Result<Ends, ConvertError> {
    if messages.len() > ENDS_TAKEN_MAX {
        let problem = format!("are more than {ENDS_TAKEN_MAX}");
        return Err(ConvertError { field, problem });
    }
    let end = |message: writer::GenerationEnd| {
        Ok(End { up_to: message.up_to, until: timestamp_from(field, message.until)? })
    };
    messages.into_iter().map(end).collect()
}

fn number(field: &'static str, number: u32) -> Result<Number, ConvertError> {
    match number {
        0 => Err(ConvertError { field, problem: "must be at least 1".to_owned() }),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn d_ends_of_older_generations_survive_the_way_and_are_bounded() {
        let end = |up_to| End { up_to, until: jiff::Timestamp::from_second(up_to.into()).unwrap() };
        let ends: Ends = [end(1), end(2)].into_iter().collect();
        let messages = ends_to_proto(&ends);
        assert_eq!(ends_from_proto("ends", messages.clone()), Ok(ends));
        let many = messages.iter().cycle().take(17).cloned().collect();
        assert_eq!(ends_from_proto("ends", many).unwrap_err().field, "ends");
        let without = vec![writer::GenerationEnd { up_to: 1, until: None }];
        assert_eq!(ends_from_proto("ends", without).unwrap_err().field, "ends");
    }

    #[test]
    fn d_what_was_seen_of_generations_survives_the_way() {
        let generation = |number, grace| Generation {
            number,
            uid: "u".into(),
            grace,
            made: grace.map(|_| jiff::Timestamp::UNIX_EPOCH),
        };
        let family =
            Family { namespace: "kube-system".parse().unwrap(), secret: "a".parse().unwrap() };
        let shoot = "shoot--lab--1".parse().unwrap();
        let seen = GenerationsSeen {
            present: vec![generation(1, None), generation(2, Some(Duration::ZERO))],
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut message = generations_seen_to_proto(&shoot, &family, &seen);
        assert_eq!(generations_seen_from_proto(message.clone()), Ok((shoot, family, seen)));
        message.present[0].number = 0;
        assert_eq!(generations_seen_from_proto(message).unwrap_err().field, "generations.number");
    }
}
