//! What a large fleet costs: `make bench-fleet`. See `docs/decisions/0020-a-record-in-one-kibibyte.md`.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "what is measured is printed")]

use std::time::Duration;

use allocation_counter::AllocationInfo;
use perennial_testing::crowd::Crowd;

use world::World;

mod world;

fn measured(work: impl FnOnce()) -> (Duration, AllocationInfo) {
    let mut took = Duration::ZERO;
    let allocated = allocation_counter::measure(|| {
        let begun = world::cpu();
        work();
        took = world::cpu() - begun;
    });
    (took, allocated)
}

fn main() {
    for (secrets, shoots) in [(100_000, 1_000), (100_000, 250)] {
        let mut world = World::new(Crowd { secrets, shoots });
        println!("{secrets} Secrets over {shoots} shoots");
        let each = |bytes: i64| bytes / i64::try_from(secrets).unwrap();

        // What the wire brings is counted in, and out again where it is not kept.
        let mut records = Vec::new();
        let mut held = allocation_counter::measure(|| records = world.records()).bytes_current;
        let (took, allocated) = measured(|| assert_eq!(world.load(records), 0));
        held += allocated.bytes_current;
        println!("  decided on all after {took:?}; {} bytes a record", each(held));

        let (took, allocated) = measured(|| world.observe());
        held += allocated.bytes_current;
        println!("  all accounts seen after {took:?}; {} bytes a record", each(held));

        let renewals = world.renewals;
        world.wire = world::Wire::default();
        let (took, allocated) = measured(|| world.run(3_000));
        let cycles = world.renewals - renewals;
        let of_cycle = |n: u64| n / u64::try_from(cycles).unwrap();
        println!(
            "  {cycles} renewals in {took:?}: {:.1} µs and {} allocations each, with 0.3 looks at the clock",
            (took - world.wire.took).as_secs_f64() * 1e6 / cycles as f64,
            of_cycle(allocated.count_total - world.wire.allocations),
        );

        let (took, _) = measured(|| drop(std::hint::black_box(world.fleet.stats(world.now()))));
        println!("  counted for metrics in {took:?}");

        let (_, allocated) = measured(|| world.run(3 * 33_000));
        held += allocated.bytes_current;
        println!("  after three renewals of each: {} bytes a record", each(held));
    }
}
