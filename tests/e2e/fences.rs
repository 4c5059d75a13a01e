//! The admission policy around the secret-writer, tried from every side in the name of its own
//! ServiceAccount. RBAC is widened first, so that it is the policy that denies.

mod attempt;
mod cases;
mod generic;
mod stage;
mod table;
mod type_check;

use perennial_lab::{Lab, Options};

use self::{attempt::World, cases::cases};

#[tokio::test]
async fn the_fence_denies_what_it_should_and_passes_what_a_renewal_writes() {
    let lab = Lab::start(Options { start_services: false, ..Options::default() }).await.unwrap();
    let world = World::open(&lab).await;
    let mut wrong = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let seen = world.attempt(&case, &format!("case-{number}")).await;
        println!("{:<72} {seen}", case.attempt);
        if seen != case.outcome.to_string() {
            wrong.push(format!("{}: {seen}, expected {}", case.attempt, case.outcome));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    type_check::the_policy_has_no_warning(&lab).await;
    lab.stop().await.unwrap();
}
