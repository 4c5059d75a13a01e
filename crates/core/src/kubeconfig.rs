//! stub until helper writes
use crate::token::Token;
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("x")]
pub struct KubeconfigError;
pub fn current_token(_d: &[u8]) -> Result<Option<Token>, KubeconfigError> { Err(KubeconfigError) }
