//! `perennial kubeconfig`: the generic kubeconfig of a shoot, as a token-issuer reaches it.

use std::io::{self, Write as _};

use perennial_core::{
    kubeconfig::{TokenFile, generic},
    name::Namespace,
};
use perennial_proto::{
    cli::v1::Kubeconfig,
    issuer::v1::{ListShootsRequest, Shoot, token_issuer_client::TokenIssuerClient},
};
use perennial_rpc::{convert, status::Remote};

use crate::{
    args::{KubeconfigArgs, Output},
    connect::{ConnectArgs, Identity, with_deadline},
    error::CliError,
    json,
};

/// Asks one token-issuer after the other, until one has reached the shoot.
pub(crate) async fn run(connect: &ConnectArgs, args: KubeconfigArgs) -> Result<(), CliError> {
    let KubeconfigArgs { shoot, token_file, token_issuer_addr, output } = args;
    let identity = connect.identity()?;
    let mut last = Err(no_shoot(&shoot));
    for addr in token_issuer_addr {
        last = match ask(&addr, &identity, &shoot).await {
            Ok(Some(found)) => kubeconfig(found, &shoot, &token_file),
            // Whoever knows the shoot and has not reached it says more than who does not know it.
            Ok(None) => last,
            Err(error) => Err(error),
        };
        if last.is_ok() {
            break;
        }
    }
    let kubeconfig = last?;
    match output.output {
        Output::Text => {
            io::stdout().write_all(kubeconfig.document.as_bytes()).map_err(CliError::Output)
        }
        Output::Json => json::print(&kubeconfig),
    }
}

async fn ask(
    addr: &str,
    identity: &Identity,
    shoot: &Namespace,
) -> Result<Option<Shoot>, CliError> {
    let mut issuer = TokenIssuerClient::new(identity.channel(addr)?);
    let request = ListShootsRequest { shoots: vec![shoot.to_string()], with_connection: true };
    let answer = issuer.list_shoots(with_deadline(request)).await.map_err(|status| {
        CliError::Issuer { addr: addr.to_owned(), remote: Box::new(Remote::from(status)) }
    })?;
    Ok(answer.into_inner().shoots.pop())
}

fn kubeconfig(
    found: Shoot,
    shoot: &Namespace,
    token_file: &TokenFile,
) -> Result<Kubeconfig, CliError> {
    let Shoot { connection, detail, .. } = found;
    let Some(connection) = connection else {
        let why = if detail.is_empty() { "it has not been looked at yet" } else { &detail };
        return Err(CliError::ShootAway(format!(
            "{shoot} has not been reached since the token-issuer started: {why}"
        )));
    };
    let endpoint = convert::endpoint_from_proto(connection)
        .map_err(|error| CliError::Nonsense(error.to_string()))?;
    Ok(Kubeconfig {
        namespace: shoot.to_string(),
        server: endpoint.server().to_owned(),
        document: generic(shoot, &endpoint, token_file),
    })
}

fn no_shoot(shoot: &Namespace) -> CliError {
    CliError::NoShoot(format!(
        "no token-issuer knows a shoot in the namespace {shoot}; perennial status -o json lists \
         those that are known"
    ))
}

#[cfg(test)]
mod tests {
    use perennial_proto::issuer::v1::Connection;

    use super::*;
    use crate::exit::Exit;

    fn of(connection: Option<Connection>) -> Result<Kubeconfig, CliError> {
        let detail = "connection refused".to_owned();
        let shoot = "shoot--lab--1".parse().unwrap();
        let token_file = "/token".parse().unwrap();
        kubeconfig(Shoot { connection, detail, ..Shoot::default() }, &shoot, &token_file)
    }

    #[test]
    fn e_a_shoot_that_was_reached_has_a_kubeconfig_and_another_has_a_reason() {
        let ca_pem = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_vec();
        let server = "https://shoot:6443".to_owned();
        let connection = Connection { server, ca_pem, ..Connection::default() };
        let made = of(Some(connection)).unwrap();
        assert_eq!(
            (made.namespace.as_str(), made.server.as_str()),
            ("shoot--lab--1", "https://shoot:6443")
        );
        assert!(made.document.contains("tokenFile: /token"), "{}", made.document);

        let away = of(None).unwrap_err();
        assert!(away.to_string().ends_with("connection refused"), "{away}");
        assert_eq!(away.exit(), Exit::Unavailable);
        assert_eq!(of(Some(Connection::default())).unwrap_err().exit(), Exit::Internal);
        assert_eq!(no_shoot(&"shoot--lab--1".parse().unwrap()).exit(), Exit::NotFound);
    }
}
