//! Fakes and builders for tests: a fake API server, certificates, a clock that is moved by hand.
