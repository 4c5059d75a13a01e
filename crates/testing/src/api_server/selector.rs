//! Label and field selectors.

use serde_json::Value;

use super::{refusal::Refusal, resource::Resource, target::Target};

/// Which objects a list or watch is about.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    pub resource: &'static Resource,
    namespace: String,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

/// That the value of a key is, or is not, one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    pub(super) fn of(resource: &'static Resource, target: &Target) -> Result<Self, Refusal> {
        let fields = requirements(target.asks("fieldSelector").unwrap_or_default());
        let known = ["metadata.name", "metadata.namespace"];
        if let Some(other) = fields.iter().find(|field| !known.contains(&field.key.as_str())) {
            let message = format!("field label not supported: {}", other.key);
            return Err(Refusal::bad_request(message));
        }
        Ok(Self {
            resource,
            namespace: target.call.namespace.clone(),
            labels: requirements(target.asks("labelSelector").unwrap_or_default()),
            fields,
        })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let metadata = &object["metadata"];
        let field = |key: &str| text(&metadata[key.trim_start_matches("metadata.")]);
        (self.namespace.is_empty() || metadata["namespace"] == *self.namespace)
            && self.labels.iter().all(|label| label.holds(text(&metadata["labels"][&label.key])))
            && self.fields.iter().all(|requirement| requirement.holds(field(&requirement.key)))
    }
}

impl Requirement {
    fn holds(&self, value: Option<String>) -> bool {
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(&value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(&value)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
        }
    }
}

/// Splits at commas that are not inside parentheses.
fn requirements(selector: &str) -> Vec<Requirement> {
    let mut depth = 0_u32;
    let outside = |c: char| {
        depth = match c {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        c == ',' && depth == 0
    };
    let parts = selector.split(outside).map(str::trim).filter(|part| !part.is_empty());
    parts.map(requirement).collect()
}

fn requirement(text: &str) -> Requirement {
    let list = |values: &str| {
        let inner = values.trim().trim_start_matches('(').trim_end_matches(')');
        inner.split(',').map(|value| value.trim().to_owned()).collect()
    };
    let one = |value: &str| vec![value.trim_start_matches('=').trim().to_owned()];
    let (key, test) = if let Some((key, values)) = text.split_once(" notin ") {
        (key, Test::NotIn(list(values)))
    } else if let Some((key, values)) = text.split_once(" in ") {
        (key, Test::In(list(values)))
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, Test::NotIn(one(value)))
    } else if let Some((key, value)) = text.split_once('=') {
        (key, Test::In(one(value)))
    } else if let Some(key) = text.strip_prefix('!') {
        (key, Test::Absent)
    } else {
        (text, Test::Exists)
    };
    Requirement { key: key.trim().to_owned(), test }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selects(selector: &str, labels: Value) -> bool {
        let object = json!({"metadata": {"name": "n", "namespace": "a", "labels": labels}});
        let selector = Selector {
            resource: Resource::named("secrets"),
            namespace: "a".to_owned(),
            labels: requirements(selector),
            fields: requirements("metadata.name=n"),
        };
        selector.matches(&object)
    }

    #[test]
    fn labels_are_compared_in_every_form_of_a_requirement() {
        let labels = || json!({"x/class": "shoot", "tier": "1"});
        for selector in [
            "",
            "x/class=shoot",
            "x/class==shoot,tier=1",
            "tier in (1,2),x/class",
            "tier notin (2,3),!other",
            "tier!=2,other!=1",
        ] {
            assert!(selects(selector, labels()), "{selector}");
        }
        for selector in ["x/class=seed", "tier in (2),x/class", "other", "!tier", "tier!=1"] {
            assert!(!selects(selector, labels()), "{selector}");
        }
        assert!(!selects("tier=1", Value::Null));
    }
}
