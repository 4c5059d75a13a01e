use perennial_core::{
    generation::{Family, Generation, GenerationsSeen, REFUSED_WITHIN},
    reason::Reason,
    record::Record,
};
use perennial_proto::scheduler::v1::RevocationPhase;
use perennial_rpc::convert::duration;

use super::*;
use crate::fixtures::{bound, revocable, written};

const NAME: &str = "shoot-1/a";

/// A desk whose first sets are in, with a revocable Secret that holds a token of generation 1.
fn desk() -> Desk {
    let desk = Desk::of(&["shoot-1/unbound"]);
    desk.board.update(|fleet, now| {
        fleet.hear_of_shoots(now, 0, feed::Event::Opened);
        fleet.hear_of_shoots(now, 0, feed::Event::Upsert(shoot("shoot-1", Reach::Reachable)));
        fleet.hear_of_shoots(now, 0, feed::Event::Complete);
    });
    desk.shows(&holding(1), &[1]);
    desk
}

fn holding(number: u32) -> Record {
    bound(&written(&revocable(NAME), 0, Reason::Revoked), number, Some(at(0)))
}

impl Desk {
    /// What the streams say, and the next look of the engine.
    fn shows(&self, record: &Record, present: &[u32]) {
        let generation = |number: &u32| Generation {
            number: *number,
            uid: format!("uid-{number}").into(),
            grace: None,
            made: None,
        };
        let family = Family::new(&"kube-system".parse().unwrap(), &record.secret);
        let present = present.iter().map(generation).collect();
        self.board.update(|fleet, now| {
            fleet.hear_of_records(now, feed::Event::Upsert(record.clone()));
            let seen = GenerationsSeen { present, at: now };
            let shoot = "shoot-1".parse().unwrap();
            fleet.hear_of_generations(now, feed::GenerationsNews { shoot, family, seen });
            drop(fleet.tick(now));
        });
    }

    fn ask(name: &str, generation: u32, grace: Option<u64>) -> Request<RevokeRequest> {
        let grace = grace.map(|seconds| duration(Duration::from_secs(seconds)));
        let name = name.to_owned();
        Request::new(RevokeRequest { namespace: "shoot-1".to_owned(), name, generation, grace })
    }
}

async fn next(stream: &mut RevokeStream) -> (RevocationPhase, u32, bool) {
    let message = time::timeout(Duration::from_secs(20), stream.next()).await.unwrap();
    let message = message.expect("not done yet").unwrap();
    (message.phase(), message.generation, message.refused)
}

#[tokio::test]
async fn d_all_who_revoke_are_told_at_once_how_far_it_is_and_then_until_it_is_done() {
    let desk = desk();
    let revoke = async |generation| {
        let asked = desk.service.revoke(Desk::ask("a", generation, Some(0))).await;
        asked.unwrap().into_inner()
    };
    let (mut first, mut second) = (revoke(0).await, revoke(1).await);
    for stream in [&mut first, &mut second] {
        assert_eq!(next(stream).await, (RevocationPhase::Token, 1, false));
    }
    desk.shows(&holding(2), &[1, 2]);
    assert_eq!(next(&mut first).await.0, RevocationPhase::Deleting);
    desk.shows(&holding(2), &[2]);
    assert_eq!(next(&mut first).await.0, RevocationPhase::Confirming);
    desk.clock.advance(REFUSED_WITHIN);
    desk.board.update(|fleet, now| drop(fleet.tick(now)));
    for stream in [&mut first, &mut second] {
        let mut last = next(stream).await;
        while last.0 != RevocationPhase::Done {
            last = next(stream).await;
        }
        assert_eq!(last, (RevocationPhase::Done, 1, false));
        assert!(stream.next().await.is_none(), "it ends");
    }
    let mut again = revoke(1).await;
    assert_eq!(next(&mut again).await.0, RevocationPhase::Done, "for whoever lost the stream");
}

#[tokio::test]
async fn d_what_cannot_be_revoked_is_refused_before_anything_is_streamed() {
    let desk = desk();
    let refused = async |name, generation, grace| {
        let asked = desk.service.revoke(Desk::ask(name, generation, grace)).await;
        let Err(status) = asked else { panic!("{name} is revoked") };
        (status.code(), reason(&status))
    };
    let is = |code, reason: &str| (code, reason.to_owned());
    let invalid = |reason| is(Code::InvalidArgument, reason);
    assert_eq!(refused("a", 0, Some(86_401)).await, invalid("GRACE_INVALID"));
    assert_eq!(refused("a", 7, None).await, invalid("NO_SUCH_GENERATION"));
    assert_eq!(refused("A", 0, None).await, invalid("NAME_INVALID"));
    assert_eq!(refused("z", 0, None).await, is(Code::NotFound, "SECRET_NOT_FOUND"));
    let unbound = is(Code::FailedPrecondition, "NOT_REVOCABLE");
    assert_eq!(refused("unbound", 0, None).await, unbound);
}

#[tokio::test]
async fn d_a_secret_that_is_deleted_meanwhile_ends_the_stream_with_an_error() {
    let desk = desk();
    let asked = desk.service.revoke(Desk::ask("a", 0, None)).await;
    let mut stream = asked.unwrap().into_inner();
    assert_eq!(next(&mut stream).await.0, RevocationPhase::Token);
    desk.board.update(|fleet, now| {
        fleet.hear_of_records(now, feed::Event::Removed(named(NAME)));
    });
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn d_an_explanation_says_the_generation_and_until_when_older_ones_live() {
    let desk = desk();
    let record = bound(&written(&revocable(NAME), 0, Reason::Revoked), 2, Some(at(240)));
    desk.shows(&record, &[1, 2]);
    let request = ExplainScheduleRequest { namespace: "shoot-1".into(), name: "a".into() };
    let answer = desk.service.explain_schedule(Request::new(request)).await.unwrap().into_inner();
    let explanation = answer.explanation.unwrap();
    let generations = explanation.generations.clone().unwrap();
    assert_eq!((generations.present, generations.older.as_slice()), (2, [1].as_slice()));
    assert_eq!(generations.older_until.unwrap().seconds, 240);
    assert_eq!(generations.since.unwrap().seconds, 0);
    let causes: Vec<_> = explanation.more.iter().map(|finding| finding.cause.as_str()).collect();
    let left = "Tokens are being revoked: older than that of its token (2) and still there: \
                generation 1 until its grace is over at 1970-01-01T00:04:00Z (in 4m00s).";
    assert!(causes.contains(&left), "{causes:?}");
    let shown = perennial_cli::explain::text::lines(&explanation).join("\n");
    assert!(
        shown.contains("bound to   generation 2 (kube-system/perennial-generation-"),
        "{shown}"
    );
}
