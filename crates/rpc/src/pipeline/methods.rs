//! The methods that are called through one.

use futures::future::BoxFuture;
use perennial_proto::{
    issuer::v1::{
        IssueTokenRequest, IssueTokenResponse, IssueTokensRequest, IssueTokensResponse,
        issue_tokens_response, token_issuer_client::TokenIssuerClient,
    },
    writer::v1::{
        RenewTokenRequest, RenewTokenResponse, RenewTokensRequest, RenewTokensResponse,
        renew_tokens_response, secret_writer_client::SecretWriterClient,
    },
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Asked, Method};
use crate::{
    client::Channel,
    status::{from_failure, to_failure},
};

/// Renewals, ordered by a scheduler at a secret-writer.
#[derive(Debug)]
pub struct RenewTokens;

/// Tokens, asked for by a secret-writer at a token-issuer.
#[derive(Debug)]
pub struct IssueTokens;

/// Methods differ in the names of their messages, and nothing else.
macro_rules! method {
    (
        $method:ident, $name:literal, $client:ident :: $call:ident,
        $request:ident . $asked:ident ( $ask:ident ),
        $response:ident . $outcome:ident :: $answered:ident ( $answer:ident )
    ) => {
        impl Method for $method {
            const NAME: &'static str = $name;
            type Ask = $ask;
            type Answer = $answer;
            type Request = $request;
            type Response = $response;

            fn request(Asked { number, traceparent, ask }: Asked<$ask>) -> $request {
                $request { number, traceparent, $asked: Some(ask) }
            }

            fn asked(request: $request) -> Asked<Option<$ask>> {
                let $request { number, traceparent, $asked: ask } = request;
                Asked { number, traceparent, ask }
            }

            fn response(number: u64, outcome: Result<$answer, Status>) -> $response {
                use $outcome::Outcome;
                let outcome = match outcome {
                    Ok(answer) => Outcome::$answered(answer),
                    Err(status) => Outcome::Failure(to_failure(&status)),
                };
                $response { number, outcome: Some(outcome) }
            }

            fn answered(
                $response { number, outcome }: $response,
            ) -> (u64, Result<$answer, Status>) {
                use $outcome::Outcome;
                let outcome = match outcome {
                    Some(Outcome::$answered(answer)) => Ok(answer),
                    Some(Outcome::Failure(failure)) => Err(from_failure(failure)),
                    None => Err(Status::internal("the answer has no outcome")),
                };
                (number, outcome)
            }

            fn open(
                channel: Channel,
                requests: ReceiverStream<$request>,
            ) -> BoxFuture<'static, Result<Streaming<$response>, Status>> {
                let mut client = $client::new(channel);
                Box::pin(async move { Ok(client.$call(requests).await?.into_inner()) })
            }
        }
    };
}

method!(
    RenewTokens,
    "perennial.writer.v1.SecretWriter/RenewToken",
    SecretWriterClient::renew_tokens,
    RenewTokensRequest.renewal(RenewTokenRequest),
    RenewTokensResponse.renew_tokens_response::Renewed(RenewTokenResponse)
);

method!(
    IssueTokens,
    "perennial.issuer.v1.TokenIssuer/IssueToken",
    TokenIssuerClient::issue_tokens,
    IssueTokensRequest.request(IssueTokenRequest),
    IssueTokensResponse.issue_tokens_response::Issued(IssueTokenResponse)
);
