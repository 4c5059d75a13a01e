//! Revocation of many: what an operator asks for of a whole selection.

use perennial_core::{
    campaign::{Campaign, Campaigns, Cannot, LEAD, Selection, Wanted},
    generation::REFUSED_WITHIN,
    name::CampaignId,
};

use super::*;
use crate::campaigns::{self, Progress as CampaignProgress};

const BEGIN: i64 = 1_000;
const FIRST: i64 = BEGIN + LEAD.as_secs();

fn id() -> CampaignId {
    "c-1".parse().unwrap()
}

fn campaign(grace: u64) -> Campaigns {
    let (before, grace) = (at(BEGIN), Duration::from_secs(grace));
    let wanted = Wanted::Revoked { before, grace };
    let reason = "tested".parse().unwrap();
    let by = "spiffe://x".to_owned();
    Campaigns::from([(id(), Campaign::new(reason, by, at(BEGIN), Selection::all(), wanted))])
}

impl Stage {
    fn start(&mut self, grace: u64) {
        self.run_to(BEGIN);
        self.hear(grace);
    }

    fn hear(&mut self, grace: u64) {
        self.world.fleet.hear_of_campaigns(at(self.world.now), campaign(grace));
    }

    fn campaign(&self) -> CampaignProgress {
        self.world.fleet.campaign(&id()).unwrap().1
    }

    fn awaited(&self) -> Vec<&'static str> {
        self.campaign().awaited.keys().map(|why| why.as_str()).collect()
    }

    /// Runs until the campaign is over, and says when that was.
    fn run_to_the_end(&mut self) -> i64 {
        let end = self.world.now + HOUR;
        while !self.campaign().is_over() {
            let next = self.world.now + 1;
            assert!(next < end, "{:?} {:?}", self.campaign(), self.numbers());
            self.run_to(next);
        }
        self.world.now
    }
}

#[test]
fn d_a_campaign_revokes_with_a_grace_and_is_done_when_no_old_token_is_taken() {
    let mut stage = Stage::new();
    stage.start(60);
    stage.run_to(FIRST - 1);
    assert_eq!((stage.tokens, stage.numbers()), (0, vec![1]));
    stage.run_to(FIRST + 5);
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![1, 2]));
    assert_eq!(stage.awaited(), ["grace"]);
    assert_eq!(stage.present[1].grace, Some(Duration::from_secs(60)));
    let end = stage.run_to_the_end();
    let gone = FIRST + 60;
    let refused = gone + i64::try_from(REFUSED_WITHIN.as_secs()).unwrap();
    assert!((refused..=refused + 3).contains(&end), "{end}, gone about {gone}");
    let done = stage.campaign();
    assert_eq!((done.phase, done.done, done.total), (campaigns::Phase::Done, 1, 1));
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]));
    stage.run_to(end + 600);
    assert_eq!(stage.tokens, 1);
}

#[test]
fn d_without_a_grace_the_old_generation_goes_with_the_next_order() {
    let mut stage = Stage::new();
    stage.start(0);
    stage.run_to(FIRST + 3);
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]));
    assert!(stage.campaign().refused_from.is_some() && !stage.campaign().is_over());
    stage.run_to_the_end();
    assert_eq!(stage.tokens, 1);
}

#[test]
fn d_nobody_waits_ten_seconds_for_a_proof_where_a_thousand_are_revoked_but_for_an_operators_own() {
    for by_hand_too in [false, true] {
        let mut stage = Stage::new();
        stage.start(0);
        if by_hand_too {
            stage.revoke(0, Some(0)).unwrap();
        }
        let order = stage.order(FIRST + 5);
        let answer = stage.carry_out(&order, None).unwrap();
        stage.world.end(&order, Ok(answer.record));
        stage.show();
        let deletion = stage.order(FIRST + 10);
        let said = (deletion.reason, deletion.unproved);
        assert_eq!(said, (Reason::GenerationLeft, !by_hand_too));
    }
}

#[test]
fn d_a_crash_at_each_step_of_a_campaign_is_resumed_by_what_is_seen() {
    for crash in [Crash::Ordered, Crash::InShoot, Crash::Written] {
        for scheduler_too in [false, true] {
            let mut stage = Stage::new();
            stage.start(60);
            let order = stage.world.next_order(FIRST + 5).unwrap().1;
            assert_eq!(order.reason, Reason::Revoked);
            assert_eq!(stage.carry_out(&order, Some(crash)), None);
            match scheduler_too {
                true => {
                    stage.restart();
                    stage.hear(60);
                }
                false => {
                    stage.lose(&order);
                    stage.show();
                }
            }
            stage.run_to_the_end();
            let in_vain = usize::from(crash == Crash::InShoot);
            let case = format!("{crash:?} {scheduler_too}");
            assert_eq!((stage.tokens, stage.numbers()), (1 + in_vain, vec![2]), "{case}");
        }
    }
}

#[test]
fn d_a_restart_in_the_grace_spends_no_other_token() {
    let mut stage = Stage::new();
    stage.start(240);
    stage.run_to(FIRST + 100);
    stage.restart();
    stage.hear(240);
    stage.run_to(FIRST + 102);
    assert_eq!(stage.awaited(), ["grace"]);
    stage.run_to_the_end();
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]));
}

#[test]
fn d_a_token_that_falls_due_meanwhile_is_one_of_the_next_generation() {
    let mut stage = Stage::new();
    stage.world.fleet.hear_of_campaigns(at(stage.world.now), Campaigns::new());
    stage.run_to(PLANNED - 10);
    assert_eq!(stage.tokens, 0);
    // The campaign is a minute old when the token falls due, and its shoot is busy with others.
    stage.hear(60);
    let secret = secret(NAME);
    let ordered = stage.world.fleet.generations_to_order(at(PLANNED), &secret, Reason::Due);
    assert_eq!((ordered.number, ordered.grace), (2, Some(Duration::from_secs(60))));
}

#[test]
fn d_what_cannot_be_revoked_is_named_and_left_alone() {
    let mut stage = Stage::new();
    let plain = fresh("shoot-1/plain", 0);
    stage.world.record(Event::Upsert(plain));
    stage.start(0);
    stage.run_to_the_end();
    let done = stage.campaign();
    assert_eq!((done.phase, done.done), (campaigns::Phase::Incomplete, 1));
    let cannot: Vec<_> = done.cannot.iter().map(|(why, left)| (*why, left.count)).collect();
    assert_eq!(cannot, [(Cannot::NotRevocable, 1)]);
    assert_eq!(stage.tokens, 1);
}

#[test]
fn d_what_was_revoked_by_hand_since_is_done_already() {
    let mut stage = Stage::new();
    stage.start(240);
    stage.world.now = BEGIN + 1;
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to_the_end();
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]), "the shorter grace, one token");
}

#[test]
fn d_a_view_that_does_not_say_when_generations_were_made_revokes_nothing() {
    let mut stage = Stage::new();
    stage.present[0].made = None;
    stage.show();
    stage.start(0);
    stage.run_to(FIRST + 30);
    assert_eq!((stage.tokens, stage.awaited()), (0, vec!["generations_not_seen"]));
    stage.present[0].made = Some(at(0));
    stage.show();
    stage.run_to_the_end();
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]));
}
