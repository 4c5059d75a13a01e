//! token-issuer: learns shoots, keeps one client for each and asks them for ServiceAccount tokens.
