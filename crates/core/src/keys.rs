//! Labels, annotations and data keys of an access Secret (contract, section A), of a generic
//! kubeconfig (section E) and of a generation (section D).

/// Label that makes a Secret ours.
pub const PURPOSE: &str = "resources.gardener.cloud/purpose";
/// The value of [`PURPOSE`] that we serve.
pub const PURPOSE_TOKEN_REQUESTOR: &str = "token-requestor";
/// Label with the class of a Secret; Gardener writes `shoot`.
pub const CLASS: &str = "resources.gardener.cloud/class";
/// The class served by default.
pub const CLASS_SHOOT: &str = "shoot";

/// Name of the ServiceAccount in the shoot.
pub const ACCOUNT_NAME: &str = "serviceaccount.resources.gardener.cloud/name";
/// Namespace of the ServiceAccount in the shoot.
pub const ACCOUNT_NAMESPACE: &str = "serviceaccount.resources.gardener.cloud/namespace";
/// JSON object of labels for the ServiceAccount.
pub const ACCOUNT_LABELS: &str = "serviceaccount.resources.gardener.cloud/labels";
/// Lifetime to ask for, a Go duration.
pub const TOKEN_LIFETIME: &str =
    "serviceaccount.resources.gardener.cloud/token-expiration-duration";
/// Latest moment of renewal, RFC 3339; written by us, read by the reference too.
pub const RENEW_TIMESTAMP: &str = "serviceaccount.resources.gardener.cloud/token-renew-timestamp";
/// Go bool: put the CA of the shoot into `bundle.crt`.
pub const INJECT_CA: &str = "serviceaccount.resources.gardener.cloud/inject-ca-bundle";
/// Name of a Secret in the shoot that gets the token instead.
pub const TARGET_NAME: &str = "token-requestor.resources.gardener.cloud/target-secret-name";
/// Namespace of that Secret.
pub const TARGET_NAMESPACE: &str =
    "token-requestor.resources.gardener.cloud/target-secret-namespace";
/// Comma-separated audiences, ours.
pub const AUDIENCES: &str = "perennial.dev/audiences";
/// `true` binds every token to an object so that it can be revoked, ours.
pub const REVOCABLE: &str = "perennial.dev/revocable";
/// Go bool on the token-issuer's own access Secret of a shoot, ours: the API server of the shoot is
/// shut down on purpose, so nothing is asked of it.
pub const HIBERNATED: &str = "perennial.dev/hibernated";
/// What we noted about the token, one line of JSON, ours.
pub const ISSUED: &str = "perennial.dev/issued";

/// Every annotation that changes what is asked for. The write tests each of them (B8).
pub const INPUT_ANNOTATIONS: [&str; 9] = [
    ACCOUNT_NAME,
    ACCOUNT_NAMESPACE,
    ACCOUNT_LABELS,
    TOKEN_LIFETIME,
    INJECT_CA,
    TARGET_NAME,
    TARGET_NAMESPACE,
    AUDIENCES,
    REVOCABLE,
];

/// Data key of the token in token mode.
pub const DATA_TOKEN: &str = "token";
/// Data key whose presence means kubeconfig mode.
pub const DATA_KUBECONFIG: &str = "kubeconfig";
/// Data key of the CA bundle.
pub const DATA_BUNDLE: &str = "bundle.crt";

/// Label that says what a Secret of ours is for. On the seed whoever makes the shoot sets it, on the
/// generic kubeconfig; in a shoot we do, on what tokens are bound to.
pub const GENERIC: &str = "perennial.dev/purpose";
/// The value of [`GENERIC`].
pub const GENERIC_KUBECONFIG: &str = "generic-kubeconfig";
/// Data key of a generic kubeconfig, the only one that we write there.
pub const DATA_GENERIC: &str = "kubeconfig.yaml";

/// The value of [`GENERIC`] on a generation, in a shoot (section D).
pub const PURPOSE_GENERATION: &str = "generation";
/// Annotation of a generation: for how many seconds older ones live on after its first token is
/// written. Absent where none was to be revoked when it was made.
pub const GRACE_SECONDS: &str = "perennial.dev/grace-seconds";
/// Annotation of a generation for people: what it is, whose, and what its deletion does.
pub const GENERATION_OF: &str = "perennial.dev/generation-of";
