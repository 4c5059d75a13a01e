use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::fixtures::table;

/// What `tests/cluster/spelling` asked about, in this order.
fn labelled() -> Vec<Labels> {
    let sets: &[&[(&str, &str)]] = &[
        &[],
        &[("a", "")],
        &[("a", "b")],
        &[("a", "c"), ("b", "c")],
        &[("a", "1")],
        &[("a", "2"), ("d", "e")],
        &[("a", "-1")],
        &[("in", "in"), ("notin", "notin")],
        &[
            ("resources.gardener.cloud/purpose", "token-requestor"),
            ("resources.gardener.cloud/class", "shoot"),
        ],
        &[("app.kubernetes.io/name", "etcd"), ("c", "d")],
    ];
    sets.iter().map(|set| labels(set)).collect()
}

fn labels(set: &[(&str, &str)]) -> Labels {
    let owned = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Labels::of(&owned.collect::<BTreeMap<_, _>>())
}

#[test]
fn a_selector_is_read_and_answers_as_with_kubectl() {
    #[derive(Deserialize)]
    struct Row {
        text: String,
        good: bool,
        #[serde(default)]
        selected: String,
    }
    let labelled = labelled();
    let mut good_ones = 0;
    for Row { text, good, selected } in
        table::<Row>("selectors", include_str!("../../testdata/selectors.jsonl"))
    {
        let read = text.parse::<Selector>();
        if text.trim().is_empty() {
            assert_eq!(read, Err(SelectorError::Empty), "{text:?}: kubectl takes it for all");
            continue;
        }
        assert_eq!(read.is_ok(), good, "{text:?}: {read:?}");
        let Ok(selector) = read else { continue };
        good_ones += 1;
        let again: Selector = selector.to_string().parse().unwrap();
        assert_eq!(again, selector, "{text:?} is stored as {selector}");
        let answer = |labels| if selector.selects(labels) { '1' } else { '0' };
        let answers: String = labelled.iter().map(answer).collect();
        assert_eq!(answers, selected, "{text:?}");
    }
    assert!(good_ones > 60, "{good_ones}");
}

#[test]
fn what_is_wrong_is_named() {
    let said = |text: &str| text.parse::<Selector>().unwrap_err().to_string();
    for (text, part) in [
        ("", "demands nothing"),
        ("app=a b", "\"b\" stands where a comma or the end should"),
        ("app in (a", "the end stands where a comma or ) should"),
        ("app ~ a", "\"~\" stands where ="),
        ("a,", "the end stands where a label should"),
        ("-app=a", "\"-app\" is no key"),
        ("app=-a", "\"-a\" is no value"),
        ("app>x", "\"x\" is no whole number"),
        (&format!("app={}", "a".repeat(2_000)), "longer than 1024"),
    ] {
        assert!(said(text).contains(part), "{text:?}: {}", said(text));
    }
}
