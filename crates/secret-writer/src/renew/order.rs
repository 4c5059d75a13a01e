//! The order of a scheduler, parsed.

use std::time::Duration;

use perennial_core::{
    digest::Digest,
    generation::{Ends, GRACE_MAX, Number},
    name::SecretRef,
    reason::Reason,
    window::Window,
};
use perennial_proto::writer::v1::RenewTokenRequest;
use perennial_rpc::convert::{
    ConvertError, duration_from, duration_from_optional, ends_from_proto, parsed,
};

/// Longest request id that is logged, in bytes. Ours are UUIDs.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// An order to renew one Secret as the scheduler saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Which Secret.
    pub secret: SecretRef,
    /// Digest of the record that was decided on.
    pub digest: Digest,
    /// Why.
    pub reason: Reason,
    /// Lifetime beyond which a token is renewed as if it lived only this long, in seconds.
    pub basis_seconds: i64,
    /// Where the renewal window begins.
    pub window: Window,
    /// Place in the window, 0 to 1; clamped when the plan is drawn.
    pub place: f64,
    /// The least generation that the token is bound to, where the Secret is revocable; 0 where none
    /// is known.
    pub generation: Number,
    /// For how long older generations live on, where they are being revoked; `None` for as long as
    /// is usual.
    pub grace: Option<Duration>,
    /// What was promised of older generations before: none lives longer.
    pub ends: Ends,
    /// Id of this attempt, for logs.
    pub request_id: String,
}

impl TryFrom<RenewTokenRequest> for Order {
    type Error = ConvertError;

    fn try_from(request: RenewTokenRequest) -> Result<Self, ConvertError> {
        let secret = SecretRef {
            namespace: parsed("namespace", &request.namespace)?,
            name: parsed("name", &request.name)?,
        };
        let reason = Reason::named(&request.reason);
        if reason == Reason::Unknown {
            return Err(refuse("reason", "is none that this version knows"));
        }
        let basis = duration_from("renewal_basis", request.renewal_basis)?;
        let basis_seconds = i64::try_from(basis.as_secs())
            .ok()
            .filter(|seconds| *seconds > 0)
            .ok_or_else(|| refuse("renewal_basis", "must be at least one second"))?;
        let grace = duration_from_optional("grace", request.grace)?;
        if grace.is_some_and(|grace| grace > GRACE_MAX) {
            return Err(refuse("grace", "is longer than 24 h"));
        }
        Ok(Self {
            secret,
            digest: Digest::received(request.digest),
            reason,
            basis_seconds,
            window: Window::from_share(request.window_from),
            place: request.window_place,
            generation: request.generation,
            grace,
            ends: ends_from_proto("ends", request.ends)?,
            request_id: request_id(request.request_id)?,
        })
    }
}

pub(super) fn request_id(id: String) -> Result<String, ConvertError> {
    match id.len() > REQUEST_ID_BYTES_MAX {
        true => Err(refuse("request_id", "is longer than 64 bytes")),
        false => Ok(id),
    }
}

pub(super) fn refuse(field: &'static str, problem: &str) -> ConvertError {
    ConvertError { field, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RenewTokenRequest {
        RenewTokenRequest {
            namespace: "shoot--lab--1".to_owned(),
            name: "access".to_owned(),
            digest: "d".to_owned(),
            reason: "due".to_owned(),
            renewal_basis: Some(perennial_rpc::convert::duration(Duration::from_secs(8))),
            window_from: 0.72,
            window_place: 0.5,
            request_id: "1".to_owned(),
            generation: 0,
            grace: None,
            ends: Vec::new(),
        }
    }

    #[test]
    fn an_order_is_understood() {
        let order = Order::try_from(request()).unwrap();
        assert_eq!(order.secret.to_string(), "shoot--lab--1/access");
        assert_eq!((order.reason, order.basis_seconds), (Reason::Due, 8));
        assert_eq!(order.window, Window::ORDINARY);
    }

    #[test]
    fn d_an_order_to_revoke_says_the_generation_and_the_grace() {
        let grace = |seconds| Some(perennial_rpc::convert::duration(Duration::from_secs(seconds)));
        let revoked = |grace| RenewTokenRequest {
            reason: "revoked".to_owned(),
            generation: 2,
            grace,
            ..request()
        };
        let order = Order::try_from(revoked(grace(0))).unwrap();
        assert_eq!((order.generation, order.grace), (2, Some(Duration::ZERO)));
        assert_eq!(Order::try_from(revoked(None)).unwrap().grace, None);
        assert!(Order::try_from(revoked(grace(24 * 3_600))).is_ok());
        let wrong = revoked(grace(24 * 3_600 + 1));
        assert_eq!(Order::try_from(wrong).unwrap_err().field, "grace");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_field() {
        let field = |spoil: fn(&mut RenewTokenRequest)| {
            let mut request = request();
            spoil(&mut request);
            Order::try_from(request).unwrap_err().field
        };
        assert_eq!(field(|request| request.namespace = "../x".to_owned()), "namespace");
        assert_eq!(field(|request| request.name.clear()), "name");
        assert_eq!(field(|request| request.reason = "just_so".to_owned()), "reason");
        assert_eq!(field(|request| request.renewal_basis = None), "renewal_basis");
        assert_eq!(
            field(|request| request.renewal_basis = Some(Default::default())),
            "renewal_basis"
        );
        assert_eq!(field(|request| request.request_id = "x".repeat(65)), "request_id");
    }
}
