//! Why a connection failed, for a person: the layers in between (`ServiceError: client error
//! (Connect): tcp connect error`) say nothing that the innermost one does not say.

use std::{error::Error, io};

use perennial_core::failure;

/// The text of the innermost error of the operating system or of TLS; the whole chain where there
/// is none.
pub(super) fn readable(error: &(dyn Error + 'static)) -> String {
    let layers = std::iter::successors(Some(error), |layer| below(*layer));
    let innermost = layers.filter_map(told).last();
    innermost.unwrap_or_else(|| failure::chain(error))
}

/// An `io::Error` gives the source of what it wraps, not the wrapped error.
fn below<'a>(layer: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| layer.source())
}

fn told(layer: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = layer.downcast_ref::<io::Error>() {
        return match (error.kind(), error.get_ref()) {
            (_, Some(wrapped)) => Some(wrapped.to_string()),
            (io::ErrorKind::TimedOut, None) => Some("no connection in time".to_owned()),
            (_, None) => {
                let text = error.to_string(); // such as `Connection refused (os error 111)`
                Some(text.split(" (os error").next().unwrap_or(&text).to_owned())
            }
        };
    }
    match layer.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            Some(other.0.to_string()) // its own Display shows `Other(OtherError(…))`
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            Some("the certificate of the other side is not by our CA".to_owned())
        }
        error => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Layer(#[source] io::Error);

    #[test]
    fn only_the_innermost_layer_is_told() {
        let refused = Layer(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(readable(&refused), "connection refused");
        let number = io::Error::from_raw_os_error(111); // ECONNREFUSED on Linux
        assert_eq!(readable(&Layer(number)), "Connection refused");
        let late = Layer(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(readable(&late), "no connection in time");
    }

    #[test]
    fn a_certificate_that_is_refused_says_whose_it_is() {
        let stranger = io::Error::other("the server is a, expected b");
        let refused = rustls::CertificateError::Other(rustls::OtherError(Arc::new(stranger)));
        let error =
            io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(refused));
        assert_eq!(readable(&Layer(error)), "the server is a, expected b");
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = io::Error::new(io::ErrorKind::InvalidData, unknown);
        assert_eq!(readable(&Layer(error)), "the certificate of the other side is not by our CA");
    }

    #[test]
    fn what_has_no_such_layer_is_told_whole() {
        assert_eq!(readable(&std::fmt::Error), failure::chain(&std::fmt::Error));
    }
}
