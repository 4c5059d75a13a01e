use perennial_core::stop::NO_REASON;
use serde_json::Value;

use super::*;

fn object(version: u32, data: Value) -> Guarded {
    serde_json::from_value(json!({"data": data, "metadata": {
        "namespace": "perennial-system", "name": NAME, "uid": "u",
        "resourceVersion": version.to_string(), "creationTimestamp": "2026-11-23T20:00:00Z",
        "managedFields": [{"manager": "kubectl-create", "operation": "Update",
            "time": "2026-11-23T20:00:00Z"}],
    }}))
    .unwrap()
}

#[test]
fn a_config_map_without_keys_or_one_that_does_not_parse_stops_too() {
    for data in [Value::Null, json!({}), json!({"reason": 5}), json!("text")] {
        let stop = stop_of(&object(5, data.clone()));
        assert_eq!(stop.reason, NO_REASON, "{data}");
        assert_eq!(stop.by, "somebody by hand (kubectl-create)", "{data}");
        assert!(stop.since.is_some(), "{data}");
    }
}
