//! What `Forecast` says of a fleet whose moments are known.

use perennial_proto::scheduler::v1::{
    ForecastRequest, ForecastResponse, scheduler_client::SchedulerClient,
};
use perennial_rpc::{client::with_deadline, identity::Role};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::house::{House, Setup, namespace, operator::DEADLINE};

const MINUTE: i64 = 60;

fn length(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

impl House {
    async fn forecast(&self, request: ForecastRequest) -> Result<ForecastResponse, Status> {
        Ok(self.scheduler().forecast(with_deadline(request, DEADLINE)).await?.into_inner())
    }
}

#[tokio::test]
async fn each_renewal_is_forecast_once_in_the_slot_of_its_planned_moment() {
    let house = House::settled(Setup { shoots: 2, ..Setup::default() }).await;
    for number in 0..12 {
        house.ask(1 + number % 2, &format!("component-{number}"));
    }
    house.all_fresh(14).await;

    let request = ForecastRequest {
        slot: Some(length(MINUTE)),
        per_shoot: true,
        ..ForecastRequest::default()
    };
    let answer = house.forecast(request.clone()).await.unwrap();
    let planned = answer.planned.unwrap();
    let begin = answer.begin.unwrap().seconds;
    let slot_of = |at: i64| usize::try_from((at - begin) / MINUTE).unwrap();
    let mut expected = vec![0; planned.slots.len()];
    for schedule in house.schedules().await.unwrap() {
        expected[slot_of(schedule.next_at.unwrap().seconds)] += 1;
    }
    assert_eq!(planned.slots, expected);
    assert_eq!((planned.beyond, planned.waiting, planned.without_moment), (0, 0, 0));
    assert_eq!(answer.peak, 1, "the place of each was chosen knowing of the others");

    let rows: Vec<_> = answer.shoots.iter().map(|shoot| shoot.namespace.as_str()).collect();
    assert_eq!(rows, [namespace(1), namespace(2)]);
    let of = |row: usize| answer.shoots[row].planned.as_ref().unwrap().slots.iter().sum::<u32>();
    assert_eq!((of(0), of(1)), (7, 7), "six and the own of the shoot");

    let first = ForecastRequest { page_size: 1, ..request.clone() };
    let page = house.forecast(first.clone()).await.unwrap();
    assert_eq!((page.shoots.len(), page.next_page_token.as_str()), (1, namespace(1).as_str()));
    let page = house.forecast(ForecastRequest { page_token: namespace(1), ..first }).await.unwrap();
    assert_eq!((page.shoots, page.next_page_token), (answer.shoots[1..].to_vec(), String::new()));

    let one = ForecastRequest {
        namespace: namespace(2),
        horizon: Some(length(MINUTE)),
        ..ForecastRequest::default()
    };
    let planned = house.forecast(one).await.unwrap().planned.unwrap();
    assert_eq!((planned.slots, planned.beyond), (vec![], 7), "a token lives for hours");
}

#[tokio::test]
async fn only_the_operator_may_ask_and_nonsense_is_refused_by_its_field() {
    let house = House::new().await;
    let slot = ForecastRequest { slot: Some(length(1)), ..ForecastRequest::default() };
    let horizon = ForecastRequest { horizon: Some(length(0)), ..ForecastRequest::default() };
    let name = ForecastRequest { namespace: "No".to_owned(), ..ForecastRequest::default() };
    for (request, reason) in
        [(slot, "SLOT_INVALID"), (horizon, "HORIZON_INVALID"), (name, "NAME_INVALID")]
    {
        let refused = house.forecast(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert_eq!(refused.get_error_details().error_info().unwrap().reason, reason);
    }
    for role in House::SERVICES {
        let mut stranger = SchedulerClient::new(house.channel(role, Role::Scheduler));
        let refused = stranger.forecast(ForecastRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role}");
    }
}
