use proptest::prelude::*;

use super::*;

fn task(line: usize, from: f64, late: f64) -> Task {
    let (late_at, expires_at) = (Some(late), Some(late + 60.0));
    Task { line, from, deadline: late, late_at, expires_at }
}

#[test]
fn what_does_not_fit_before_its_moment_will_be_late() {
    // Ten seconds at two a second: the last twenty of forty.
    let tasks: Vec<_> = (0..40).map(|_| task(0, 0.0, 10.0)).collect();
    assert_eq!(foresee(&tasks, &[2.0], 100.0), Foreseen { late: 20, expire: 0 });
    assert_eq!(foresee(&tasks, &[100.0], 2.0), Foreseen { late: 20, expire: 0 }, "all together");
    assert_eq!(foresee(&tasks, &[4.0], 4.0), Foreseen::default());
    assert!(foresee(&tasks, &[0.25], 100.0).expire > 0);
}

#[test]
fn the_earliest_deadline_goes_first_and_what_is_not_there_yet_holds_up_nobody() {
    let tasks = [task(0, 0.0, 500.0), task(0, 100.0, 101.5), task(0, 0.0, 1.5)];
    assert_eq!(foresee(&tasks, &[1.0], 1.0), Foreseen::default());
}

#[test]
fn a_line_that_is_not_served_is_late_within_the_horizon_and_holds_up_no_other() {
    let tasks = [task(0, 0.0, 30.0), task(0, 0.0, 7_200.0), task(1, 0.0, 30.0)];
    assert_eq!(foresee(&tasks, &[0.0, 1.0], 10.0), Foreseen { late: 1, expire: 1 });
}

#[test]
fn what_is_late_already_is_not_foretold() {
    assert_eq!(foresee(&[task(0, 0.0, -1.0)], &[0.001], 1.0).late, 0);
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    let one = (0_usize..4, 0.0_f64..600.0, 1.0_f64..900.0);
    prop::collection::vec(one.prop_map(|(line, from, late)| task(line, from, late)), 0..60)
}

proptest! {
    #[test]
    fn a_better_rate_makes_nothing_later(
        tasks in tasks(), rates in prop::array::uniform4(0.0_f64..5.0), all in 0.01_f64..5.0,
    ) {
        let (slow, fast) = (foresee(&tasks, &rates, all), foresee(&tasks, &[1e9; 4], 1e9));
        prop_assert!(fast.late <= slow.late && slow.expire <= slow.late);
        let in_vain = tasks.iter().filter(|task| Some(task.from) >= task.late_at).count();
        prop_assert!(fast.late >= in_vain, "what begins after its moment is late at any rate");
    }

    #[test]
    fn a_line_alone_is_served_in_order_of_deadlines(
        moments in prop::collection::vec(1.0_f64..100.0, 1..50), rate in 0.1_f64..10.0,
    ) {
        let tasks: Vec<_> = moments.iter().map(|late| task(0, 0.0, *late)).collect();
        let mut sorted = moments;
        sorted.sort_by(f64::total_cmp);
        let mut now = 0.0;
        let late = sorted.iter().filter(|moment| { now += 1.0 / rate; now > **moment }).count();
        prop_assert_eq!(foresee(&tasks, &[rate], 1e9).late, late);
    }
}

#[test]
fn what_waits_without_end_is_late_and_holds_up_nobody() {
    let tasks = [task(0, f64::INFINITY, 30.0), task(0, 0.0, 40.0), task(0, f64::INFINITY, 7_200.0)];
    assert_eq!(foresee(&tasks, &[1.0], 10.0), Foreseen { late: 1, expire: 1 });
}
