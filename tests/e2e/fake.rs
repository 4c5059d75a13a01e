//! The fake API server of the integration tests and a real one answer alike: the same suite runs
//! against both.

use perennial_lab::{Lab, Options};

use crate::contract;

#[tokio::test]
async fn a_real_api_server_answers_as_the_fake_one_does() {
    let lab = Lab::start(Options { start_services: false, ..Options::default() }).await.unwrap();
    // A shoot, because the suite asks for both audiences that a shoot of the lab accepts.
    contract::suite(lab.shoot(1).client()).await;
    lab.stop().await.unwrap();
}
