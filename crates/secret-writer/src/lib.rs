//! secret-writer: watches access Secrets, reduces them to records and writes renewed tokens.
