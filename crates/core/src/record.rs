//! An access Secret reduced to what is needed to decide. Token bytes are not kept.

use std::{collections::BTreeMap, fmt};

use arcstr::ArcStr;
use jiff::Timestamp;

use crate::{
    ca::CaHash,
    digest::Digest,
    inputs::{Inputs, Interpretation, Invalid, Mode, Problem, Refusal},
    issued::{Issued, Left},
    keys, kubeconfig,
    labels::Labels,
    name::SecretRef,
    storm::Memory,
    target,
    token::{Claims, TokenHash},
};

mod share;

pub use share::{Texts, TextsOfClaims};

/// What is read of a Secret. It borrows: nothing of `data` outlives the reduction.
#[derive(Clone, Copy)]
pub struct SecretView<'a> {
    /// Which Secret.
    pub secret: &'a SecretRef,
    /// `metadata.uid`
    pub uid: &'a str,
    /// `metadata.labels`
    pub labels: &'a BTreeMap<String, String>,
    /// `metadata.annotations`
    pub annotations: &'a BTreeMap<String, String>,
    /// `data.token`
    pub token: Option<&'a [u8]>,
    /// `data.kubeconfig`
    pub kubeconfig: Option<&'a [u8]>,
    /// `data["bundle.crt"]`
    pub bundle: Option<&'a [u8]>,
    /// `immutable`
    pub immutable: bool,
    /// Whether `metadata.deletionTimestamp` is set.
    pub terminating: bool,
}

impl fmt::Debug for SecretView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretView").field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// An access Secret without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which Secret.
    pub secret: SecretRef,
    /// `metadata.uid`
    pub uid: ArcStr,
    /// Its labels, for whoever selects by them. They are not part of the digest.
    pub labels: Labels,
    /// What it asks for, or why that cannot be.
    pub inputs: Result<Inputs, Refusal>,
    /// What stands for a token.
    pub held: Held,
    /// Our note, where it belongs to the token that is there.
    pub issued: Option<Issued>,
    /// The renew timestamp.
    pub stamp: Stamp,
    /// What keeps the Secret from being written.
    pub obstacle: Option<Obstacle>,
    /// The CA beside the token: `bundle.crt` in token mode; in kubeconfig mode, where the Secret
    /// wants one, that of the current cluster. It is not part of the digest: a renewal need not be
    /// decided anew for it.
    pub ca: Option<CaHash>,
    /// Former targets that may still hold what was put there.
    pub left: Vec<Left>,
    /// Memory against a storm (B12). It outlives the note: whoever keeps records carries it over.
    pub memory: Option<Memory>,
    /// Who else wrote what stands for a token, for whoever looks for the cause of a storm. No
    /// decision depends on it; whoever reads the Secret fills it in, and whoever keeps records
    /// leaves it out where we never served the Secret: its maker is no stranger.
    pub other_writer: Option<Box<OtherWriter>>,
    /// Hash of all of the above that a decision depends on.
    pub digest: Digest,
}

/// Somebody who is not us and wrote the token, its timestamp or our note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherWriter {
    /// The name under which it writes, `manager` in `metadata.managedFields`.
    pub manager: String,
    /// When it did, by the seed's clock, whole seconds.
    pub at: Option<Timestamp>,
}

impl fmt::Display for OtherWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.manager)?;
        self.at.map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}

/// What stands for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing, or an empty value.
    Nothing,
    /// Something that is no ServiceAccount token.
    Unreadable,
    /// A token with the claims of the one we wrote, but other bytes.
    Damaged(Claims),
    /// A token; ours where the record has a note, else somebody else's. Where it stands in a target,
    /// this is what the note says of it.
    Token(Claims),
    /// Whatever stands in the target that somebody else filled: only a look at it tells.
    InTarget,
}

impl Held {
    /// Its claims, where it has any.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Damaged(claims) | Self::Token(claims) => Some(claims),
            Self::Nothing | Self::Unreadable | Self::InTarget => None,
        }
    }

    const fn claims_mut(&mut self) -> Option<&mut Claims> {
        match self {
            Self::Damaged(claims) | Self::Token(claims) => Some(claims),
            Self::Nothing | Self::Unreadable | Self::InTarget => None,
        }
    }
}

/// The renew timestamp as it stands on the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Not there: somebody asks for a renewal, or nobody ever wrote one.
    Absent,
    /// Not RFC 3339.
    Unreadable,
    /// A moment.
    At(Timestamp),
}

/// Why a Secret cannot be written (B11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// `immutable: true`
    Immutable,
    /// Being deleted, while something still holds it.
    Terminating,
}

impl Record {
    /// Reduces a Secret. Never fails: what cannot be served is part of the record.
    #[must_use]
    pub fn reduce(view: &SecretView<'_>, interpretation: &Interpretation) -> Self {
        let annotation = |key: &str| view.annotations.get(key).map(String::as_str);
        let mode = if view.kubeconfig.is_some() { Mode::Kubeconfig } else { Mode::Token };
        let (inputs, token) = inputs_and_token(view, mode, interpretation);
        let target = inputs.as_ref().ok().and_then(|inputs| inputs.target.as_ref());
        let token = token.as_deref();
        let stamp = stamp(annotation(keys::RENEW_TIMESTAMP));
        let note = annotation(keys::ISSUED).and_then(Issued::read);
        let left = note.as_ref().filter(|_| inputs.is_ok()).map(|note| note.now_left(target));
        let ca = match target {
            Some(_) => None, // what stands beside the token stands in the target
            None => ca(view, inputs.as_ref().is_ok_and(|inputs| inputs.inject_ca)),
        };
        let memory = note.as_ref().map(Issued::memory);
        let (held, issued) = match (&inputs, target) {
            (Ok(inputs), Some(_)) => target::judge(view.secret, inputs, stamp, note),
            _ => judge(token, note),
        };
        let mut record = Self {
            secret: view.secret.clone(),
            uid: view.uid.into(),
            labels: Labels::of(view.labels),
            inputs: inputs.map_err(Refusal::from),
            held,
            issued,
            stamp,
            obstacle: obstacle(view),
            ca,
            left: left.unwrap_or_default(),
            memory,
            other_writer: None,
            digest: digest(view, token, mode),
        };
        record.memory = memory.map(|memory| match record.holds(memory) {
            true => memory,
            false => memory.spoilt(), // since when is for whoever keeps records
        });
        record
    }

    /// Whether the last token stands there as it was written.
    #[must_use]
    pub fn holds(&self, memory: Memory) -> bool {
        let is_the_last = |note: &Issued| note.at.as_second() >= memory.at.as_second(); // notes have whole seconds
        matches!(self.held, Held::Token(_)) && self.issued.as_ref().is_some_and(is_the_last)
    }

    /// Whether somebody asks on the Secret itself for another token than the one we wrote: other
    /// inputs, or no timestamp any more.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        let (Some(note), Ok(inputs)) = (&self.issued, &self.inputs) else { return false };
        note.inputs != inputs.hash() || self.stamp == Stamp::Absent
    }
}

/// The inputs, and the token where it stands. A kubeconfig that cannot be read makes the inputs
/// invalid; it never hides what the annotations say first.
fn inputs_and_token(
    view: &SecretView<'_>,
    mode: Mode,
    interpretation: &Interpretation,
) -> (Result<Inputs, Invalid>, Option<Vec<u8>>) {
    let inputs = Inputs::read(view.annotations, mode, interpretation);
    if inputs.as_ref().is_ok_and(|inputs| inputs.target.is_some()) {
        return (inputs, view.token.map(<[u8]>::to_vec)); // a kubeconfig that goes anyway
    }
    let Some(document) = view.kubeconfig else {
        return (inputs, view.token.map(<[u8]>::to_vec));
    };
    let wants_ca = inputs.as_ref().is_ok_and(|inputs| inputs.inject_ca);
    let ca_place = || if wants_ca { kubeconfig::check_ca_place(document) } else { Ok(()) };
    match kubeconfig::current_token(document).and_then(|token| ca_place().map(|()| token)) {
        Ok(token) => (inputs, token.map(|token| token.expose().as_bytes().to_vec())),
        Err(error) => {
            let invalid = Invalid::data(keys::DATA_KUBECONFIG, Problem::Kubeconfig(error));
            (inputs.and(Err(invalid)), None)
        }
    }
}

fn ca(view: &SecretView<'_>, wanted: bool) -> Option<CaHash> {
    match view.kubeconfig {
        None => view.bundle.map(CaHash::of),
        Some(document) if wanted => {
            kubeconfig::current_ca(document).ok().flatten().map(|pem| CaHash::of(&pem))
        }
        Some(_) => None,
    }
}

fn judge(token: Option<&[u8]>, note: Option<Issued>) -> (Held, Option<Issued>) {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return (Held::Nothing, None);
    };
    let Ok(claims) = Claims::read(token) else { return (Held::Unreadable, None) };
    let Some(note) = note else { return (Held::Token(claims), None) };
    let ours = note.sha256 == TokenHash::of(token);
    let same_claims = note.iat == claims.issued_at && note.exp == claims.expires_at;
    match (ours, same_claims) {
        (true, _) => (Held::Token(claims), Some(note)),
        // One flipped character of the signature leaves all claims as they were.
        (false, true) => (Held::Damaged(claims), None),
        // The note speaks of another token; this one is judged by its claims alone.
        (false, false) => (Held::Token(claims), None),
    }
}

fn stamp(value: Option<&str>) -> Stamp {
    match value {
        None | Some("") => Stamp::Absent,
        Some(text) => text.parse().map_or(Stamp::Unreadable, Stamp::At),
    }
}

fn obstacle(view: &SecretView<'_>) -> Option<Obstacle> {
    match (view.terminating, view.immutable) {
        (true, _) => Some(Obstacle::Terminating),
        (false, true) => Some(Obstacle::Immutable),
        (false, false) => None,
    }
}

fn digest(view: &SecretView<'_>, token: Option<&[u8]>, mode: Mode) -> Digest {
    let token = token.map(|token| TokenHash::of(token).to_string());
    let annotation = |key: &str| view.annotations.get(key).map(String::as_bytes);
    let inputs = keys::INPUT_ANNOTATIONS.map(annotation);
    let mode: &[u8] = match mode {
        Mode::Token => b"token",
        Mode::Kubeconfig => b"kubeconfig",
    };
    let own = [
        Some(view.uid.as_bytes()),
        Some(mode),
        token.as_deref().map(str::as_bytes),
        annotation(keys::ISSUED),
        annotation(keys::RENEW_TIMESTAMP),
    ];
    Digest::over(own.into_iter().chain(inputs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SecretBuilder, jwt};

    #[test]
    fn a_secret_without_data_holds_nothing() {
        let record = SecretBuilder::new().record();
        assert_eq!(record.held, Held::Nothing);
        assert_eq!(record.stamp, Stamp::Absent);
        assert!(record.inputs.is_ok());
    }

    #[test]
    fn c_one_flipped_character_of_the_signature_is_noticed() {
        let mut secret = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5);
        assert!(matches!(secret.record().held, Held::Token(_)));
        assert!(secret.record().issued.is_some());
        let token = secret.token.take().unwrap();
        secret.token = Some(token.replace("c2lnbmF0dXJl", "c2lnbmF0dXJm"));
        assert!(matches!(secret.record().held, Held::Damaged(_)));
    }

    #[test]
    fn a_strangers_token_is_judged_by_its_claims_and_the_memory_stays() {
        let mut secret = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5);
        secret.token = Some(jwt("kube-system", "other", 50, 90_000));
        let record = secret.record();
        assert!(
            matches!(record.held, Held::Token(ref claims) if claims.account.name.as_str() == "other")
        );
        assert_eq!(record.issued, None);
        assert!(record.memory.is_some());
    }

    #[test]
    fn the_digest_follows_what_a_decision_depends_on_and_nothing_else() {
        let secret = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5);
        let digest = secret.record().digest;
        assert_eq!(secret.clone().annotated("example.com/note", "x").record().digest, digest);
        for (key, value) in [
            (keys::ACCOUNT_NAME, "other"),
            (keys::TOKEN_LIFETIME, "1h"),
            (keys::RENEW_TIMESTAMP, "2026-01-01T00:00:00Z"),
            (keys::ISSUED, "{}"),
        ] {
            assert_ne!(secret.clone().annotated(key, value).record().digest, digest, "{key}");
        }
        let mut other = secret;
        other.token = Some(String::new());
        assert_ne!(other.record().digest, digest);
    }

    #[test]
    fn the_token_never_appears_in_debug() {
        let secret = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5);
        let token = secret.token.clone().unwrap();
        let signature = token.rsplit('.').next().unwrap();
        assert!(!format!("{:?}", secret.record()).contains(signature));
    }
}
