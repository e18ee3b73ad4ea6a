//! What of the operator's word is no longer what a plan was made by.

use serde_json::Value;

use super::Plan;
use crate::policy::Policy;

/// A policy's part that only serves the time line and the window of a plan yet to be made.
const ESTIMATES: &str = "policy.estimates";

impl Plan {
    /// The keys of the policy, and of a driver's [`terms`](crate::PairDriver::terms), that are not
    /// those of this plan any more, such as `policy.limits.install`; sorted. A plan of a release
    /// that did not keep the terms has none to compare, and estimates decide nothing once there is
    /// a plan.
    pub fn edited(&self, policy: &Policy, terms: &Value) -> Vec<String> {
        // Plain data with string keys: serialising it cannot fail.
        let plain = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
        let mut keys = Vec::new();
        compare("policy", &plain(&self.policy), &plain(policy), &mut keys);
        keys.retain(|key| !key.starts_with(ESTIMATES));
        keys.extend(self.edited_terms(terms));
        keys.sort_unstable();
        keys
    }

    /// The same of the driver's terms alone.
    pub(crate) fn edited_terms(&self, terms: &Value) -> Vec<String> {
        let mut keys = Vec::new();
        if !self.terms.is_null() {
            compare("", &self.terms, terms, &mut keys);
        }
        keys
    }
}

/// The paths at which `then` and `now` differ, as deep as both are tables.
fn compare(path: &str, then: &Value, now: &Value, keys: &mut Vec<String>) {
    let (Value::Object(old), Value::Object(new)) = (then, now) else {
        if then != now {
            keys.push(path.to_owned());
        }
        return;
    };
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        let (then, now) = (old.get(key), new.get(key));
        let nothing = &Value::Null;
        let deeper = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        compare(
            &deeper,
            then.unwrap_or(nothing),
            now.unwrap_or(nothing),
            keys,
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_path_of_every_difference_is_named() {
        let then = json!({ "limits": { "install": "2h", "poll": "5s" }, "window": null, "a": [1] });
        let now = json!({ "limits": { "install": "3h", "poll": "5s" },
                          "window": { "zone": "UTC" }, "a": [1, 2], "new": true });
        let mut keys = Vec::new();
        compare("policy", &then, &now, &mut keys);
        keys.sort_unstable();
        let expected = [
            "policy.a",
            "policy.limits.install",
            "policy.new",
            "policy.window",
        ];
        assert_eq!(keys, expected);
        keys.clear();
        compare("policy", &then, &then.clone(), &mut keys);
        assert!(keys.is_empty(), "{keys:?}");
    }
}
