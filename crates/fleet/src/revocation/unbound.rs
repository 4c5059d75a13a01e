//! What can be done where a token is bound to nothing: whoever asks wants it gone all the same.

use jiff::Timestamp;
use perennial_core::{generation::Number, inputs::Inputs, keys, name::SecretRef, record::Held};

use super::super::{Fleet, entry::Entry, named, request::Error};

/// Most other Secrets of an account that are named.
const OTHERS_MAX: usize = 10;

impl Error {
    /// The same of a revocation that ends with it before its generations are gone.
    pub(super) fn and_stays(self, up_to: Number) -> Self {
        match self {
            Self::NotRevocable(text) => Self::NotRevocable(format!(
                "the revocation ended before it was done: generations up to {up_to} stay in the shoot, \
                 and their tokens work until they expire. Delete them by hand (docs/revocation.md, By \
                 hand). {text}"
            )),
            other => other,
        }
    }
}

impl Fleet {
    /// Says why nothing of a Secret can be revoked, how that is changed, and the only other way with
    /// what it costs.
    pub(super) fn unbound(&self, now: Timestamp, entry: &Entry) -> Error {
        let record = &entry.record();
        let secret = &record.secret;
        let inputs = match &record.inputs {
            Ok(inputs) => inputs,
            Err(refusal) => return Error::Invalid(secret.clone(), refusal.clone()),
        };
        let end = record.held.claims().map(|claims| claims.expires_at);
        let end = end.map(|end| self.our_clock(&secret.namespace, end));
        let lives = end.map_or_else(
            || "a token that was copied stays valid until its expiry".to_owned(),
            |end| match end > now {
                true => format!("it stays valid until its expiry at {end:.0}"),
                false => format!("it expired at {end:.0}"),
            },
        );
        let what = match (inputs.revocable, &record.held) {
            (false, _) => {
                format!("Secret {secret} is not revocable: its token is bound to nothing")
            }
            (true, Held::Token(_)) => format!(
                "Secret {secret} is revocable, but its present token is bound to nothing yet; the \
                 next one is"
            ),
            (true, _) => format!(
                "Secret {secret} is revocable, but holds no token that is bound to anything"
            ),
        };
        let annotate = match inputs.revocable {
            true => String::new(),
            false => format!(
                "\nTo make it so, for tokens from the next one on, which comes within seconds:\n  \
                 kubectl -n {} annotate secret {} {}=true --overwrite",
                secret.namespace,
                secret.name,
                keys::REVOCABLE
            ),
        };
        let other_way = self.other_way(secret, inputs);
        Error::NotRevocable(format!("{what}, and {lives}.{annotate}\n{other_way}"))
    }

    fn other_way(&self, secret: &SecretRef, inputs: &Inputs) -> String {
        let account = &inputs.account;
        format!(
            "The only other way ends every token of its ServiceAccount, in the shoot:\n  kubectl \
             --kubeconfig SHOOT_KUBECONFIG -n {} delete serviceaccount {}\nPerennial notices that, \
             and makes the account anew with new tokens within 10 s. What it costs:\n- EVERY token \
             of the account is refused, 10 s later (the API server caches){};\n- their consumers \
             see 401 until they have read the new token, 1 to 3 minutes;\n- RoleBindings that name \
             the account go on working; labels and annotations that others set on it are lost, and \
             objects that it owns by its uid are collected.",
            account.namespace,
            account.name,
            self.others(secret, inputs)
        )
    }

    /// The other Secrets whose tokens would go with it.
    fn others(&self, secret: &SecretRef, inputs: &Inputs) -> String {
        let member = self.members.shoot(&secret.namespace);
        let entries = member.into_iter().flat_map(|member| member.secrets.iter());
        let is_other = |name: &&perennial_core::name::SecretName, entry: &Entry| {
            let own = entry.record().inputs.as_ref().is_ok_and(|own| own.account == inputs.account);
            own && **name != secret.name
        };
        let others = entries.filter(|(name, entry)| is_other(name, entry));
        let others: Vec<_> =
            others.map(|(name, _)| named(&secret.namespace, name).to_string()).collect();
        let more = others.len().saturating_sub(OTHERS_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = &others[..others.len().min(OTHERS_MAX)];
        match others.len() {
            0 => "; no other access Secret names it".to_owned(),
            1 => format!(", that of another access Secret too: {}", shown.join(", ")),
            count => {
                format!(", those of {count} other access Secrets too: {}{more}", shown.join(", "))
            }
        }
    }
}
