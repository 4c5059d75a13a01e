//! The methods that are called through one.

use futures::future::BoxFuture;
use perennial_proto::{
    issuer::v1::{
        self as issuer, issue_tokens_response::Outcome as Issued,
        token_issuer_client::TokenIssuerClient,
    },
    writer::v1::{
        self as writer, renew_tokens_response::Outcome as Renewed,
        secret_writer_client::SecretWriterClient,
    },
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{Asked, Method};
use crate::client::Channel;

/// Renewals, ordered by a scheduler at a secret-writer.
#[derive(Debug)]
pub struct RenewTokens;

/// Tokens, asked for by a secret-writer at a token-issuer.
#[derive(Debug)]
pub struct IssueTokens;

impl Method for RenewTokens {
    const NAME: &'static str = "perennial.writer.v1.SecretWriter/RenewToken";
    type Ask = writer::RenewTokenRequest;
    type Answer = writer::RenewTokenResponse;
    type Request = writer::RenewTokensRequest;
    type Response = writer::RenewTokensResponse;

    fn request(Asked { number, traceparent, ask }: Asked<Self::Ask>) -> Self::Request {
        writer::RenewTokensRequest { number, traceparent, renewal: Some(ask) }
    }

    fn asked(request: Self::Request) -> Asked<Option<Self::Ask>> {
        let writer::RenewTokensRequest { number, traceparent, renewal } = request;
        Asked { number, traceparent, ask: renewal }
    }

    fn response(number: u64, outcome: Result<Self::Answer, Status>) -> Self::Response {
        let outcome = match outcome {
            Ok(renewed) => Renewed::Renewed(renewed),
            Err(status) => {
                let (code, message, details) = parts(&status);
                Renewed::Failure(writer::Failure { code, message, details })
            }
        };
        writer::RenewTokensResponse { number, outcome: Some(outcome) }
    }

    fn answered(response: Self::Response) -> (u64, Result<Self::Answer, Status>) {
        let outcome = match response.outcome {
            Some(Renewed::Renewed(renewed)) => Ok(renewed),
            Some(Renewed::Failure(writer::Failure { code, message, details })) => {
                Err(Status::with_details(Code::from_i32(code), message, details.into()))
            }
            None => Err(no_outcome()),
        };
        (response.number, outcome)
    }

    fn open(
        channel: Channel,
        requests: ReceiverStream<Self::Request>,
    ) -> BoxFuture<'static, Result<Streaming<Self::Response>, Status>> {
        let mut client = SecretWriterClient::new(channel);
        Box::pin(async move { Ok(client.renew_tokens(requests).await?.into_inner()) })
    }
}

impl Method for IssueTokens {
    const NAME: &'static str = "perennial.issuer.v1.TokenIssuer/IssueToken";
    type Ask = issuer::IssueTokenRequest;
    type Answer = issuer::IssueTokenResponse;
    type Request = issuer::IssueTokensRequest;
    type Response = issuer::IssueTokensResponse;

    fn request(Asked { number, traceparent, ask }: Asked<Self::Ask>) -> Self::Request {
        issuer::IssueTokensRequest { number, traceparent, request: Some(ask) }
    }

    fn asked(request: Self::Request) -> Asked<Option<Self::Ask>> {
        let issuer::IssueTokensRequest { number, traceparent, request } = request;
        Asked { number, traceparent, ask: request }
    }

    fn response(number: u64, outcome: Result<Self::Answer, Status>) -> Self::Response {
        let outcome = match outcome {
            Ok(issued) => Issued::Issued(issued),
            Err(status) => {
                let (code, message, details) = parts(&status);
                Issued::Failure(issuer::Failure { code, message, details })
            }
        };
        issuer::IssueTokensResponse { number, outcome: Some(outcome) }
    }

    fn answered(response: Self::Response) -> (u64, Result<Self::Answer, Status>) {
        let outcome = match response.outcome {
            Some(Issued::Issued(issued)) => Ok(issued),
            Some(Issued::Failure(issuer::Failure { code, message, details })) => {
                Err(Status::with_details(Code::from_i32(code), message, details.into()))
            }
            None => Err(no_outcome()),
        };
        (response.number, outcome)
    }

    fn open(
        channel: Channel,
        requests: ReceiverStream<Self::Request>,
    ) -> BoxFuture<'static, Result<Streaming<Self::Response>, Status>> {
        let mut client = TokenIssuerClient::new(channel);
        Box::pin(async move { Ok(client.issue_tokens(requests).await?.into_inner()) })
    }
}

fn parts(status: &Status) -> (i32, String, Vec<u8>) {
    (status.code().into(), status.message().to_owned(), status.details().to_vec())
}

fn no_outcome() -> Status {
    Status::internal("the answer has no outcome")
}
