//! The only crate that names kube: access Secrets, TokenRequest, ServiceAccounts and shoot clients.
