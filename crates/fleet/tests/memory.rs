//! What a Secret costs the scheduler, counted by the allocator and not guessed from the size of the
//! process. Decision 20.

#![expect(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

use perennial_testing::crowd::Crowd;

use world::World;

#[path = "../benches/fleet/world.rs"]
mod world;

/// What the scheduler may hold of each Secret, everything that grows with their number included.
const RECORD_BYTES_MAX: i64 = 1_024;
const SECRETS: usize = 10_000;

#[test]
fn a_secret_costs_at_most_one_kibibyte_also_after_its_renewals() {
    let mut world = World::new(Crowd { secrets: SECRETS, shoots: 100 });
    let mut records = Vec::new();
    let made = allocation_counter::measure(|| records = world.records());
    let lived = allocation_counter::measure(|| {
        assert_eq!(world.load(records), 0);
        world.observe();
    });
    let before = made.bytes_current + lived.bytes_current;
    let renewed = allocation_counter::measure(|| world.run(2 * 33_000));
    assert!(world.renewals > SECRETS, "{}", world.renewals);
    let each = |bytes: i64| bytes / i64::try_from(SECRETS).unwrap();
    let (fresh, old) = (each(before), each(before + renewed.bytes_current));
    println!("{fresh} bytes a record at the start, {old} after renewals");
    assert!(fresh.max(old) <= RECORD_BYTES_MAX, "{fresh} and {old}");
    assert!(fresh > 200, "{fresh}: was anything counted?");
}
