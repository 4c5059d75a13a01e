//! Which tokens are not as a campaign wants them, by what is true and by what a replica may believe.

use jiff::SignedDuration;
use perennial_core::{campaign::Wanted, invariants::renewed_once_for_a_campaign};

use super::{Case, SECONDS};
use crate::{
    time::{Ms, stamp},
    world::{Broke, World},
};

impl World {
    /// Whether the token that stands is not as wanted, by what is true; by so much as clocks of the
    /// replica that judges are wrong it may be older.
    pub(super) fn is_unmet(&self, secret: usize, case: &Case, judge: Option<usize>) -> bool {
        let standing = &self.seed.secrets[secret];
        let Some(claims) = standing.record.held.claims() else { return true };
        match &case.campaign.wanted {
            Wanted::IssuedSince(_) => {
                let slack = judge.map_or(0, |judge| self.clocks_wrong(judge, secret, case));
                standing.issued < case.begun - slack
            }
            Wanted::SignedBy(key) => claims.key_id.as_deref() != Some(key),
            Wanted::NotSignedBy(key) => claims.key_id.as_deref() == Some(key),
            Wanted::Revoked { .. } => false, // none is begun: there are no generations here
        }
    }

    /// By how much a replica may be wrong about the age of the token that stands: its idea of the
    /// moment of issue, and its clock against that of the replica that was asked.
    fn clocks_wrong(&self, replica: usize, secret: usize, case: &Case) -> Ms {
        let (standing, scheduler) = (&self.seed.secrets[secret], &self.schedulers[replica]);
        let Some(claims) = standing.record.held.claims() else { return 0 };
        let offset = scheduler.offset_of(self.town.secrets[secret].shoot);
        let believed = claims.issued_at.as_millisecond() - offset;
        let true_one = stamp(standing.issued, scheduler.ahead).as_millisecond();
        (believed - true_one).abs() + (scheduler.ahead - case.ahead).abs() + SECONDS
    }

    /// Whether some token may look older to a replica than the campaign, by its clock of now.
    pub(super) fn looks_old(&self, replica: usize, case: &Case) -> bool {
        let by_time = matches!(case.campaign.wanted, Wanted::IssuedSince(_));
        let shoots = case.shoots(self.town.shoots.len());
        let mut secrets = shoots.flat_map(|shoot| self.town.shoots[shoot].secrets.clone());
        by_time
            && secrets.any(|secret| {
                let after = self.seed.secrets[secret].issued - case.begun;
                after <= self.clocks_wrong(replica, secret, case)
            })
    }

    /// A token is asked for because an operator wants it: some campaign wants another one than stands
    /// there.
    pub(in crate::world) fn renewed_for_campaign(
        &mut self,
        replica: usize,
        secret: usize,
    ) -> Result<(), Broke> {
        self.desk.figures.tokens += 1;
        let shoot = self.town.secrets[secret].shoot;
        let selects = |case: &&Case| case.shoot.is_none_or(|selected| selected == shoot);
        let cases = || self.desk.all.values().filter(selects);
        if cases().any(|case| self.is_unmet(secret, case, None)) {
            return Ok(());
        }
        let standing = &self.seed.secrets[secret];
        if self.writer.view < standing.written {
            self.desk.figures.again_by_stale_views += 1;
            return Ok(());
        }
        let by_time = cases().filter(|c| matches!(c.campaign.wanted, Wanted::IssuedSince(_)));
        let age =
            |case: &Case| (standing.issued - case.begun, self.clocks_wrong(replica, secret, case));
        let ages = by_time.map(age).min_by_key(|(after, wrong)| after - wrong);
        let (after, wrong) = ages.unwrap_or((Ms::MAX / 2, 0));
        let span = SignedDuration::from_millis;
        renewed_once_for_a_campaign(span(after), span(wrong)).map_err(|broken| (secret, broken))?;
        self.desk.figures.again_by_clocks += 1;
        Ok(())
    }
}
