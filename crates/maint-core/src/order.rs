//! The order in which tables are purged: the file's, unless one must come before another.

/// Sorts `names` so that in every pair `(before, after)` the first comes first, otherwise keeping
/// the given order. Pairs with unknown names are ignored.
///
/// # Errors
/// The name of a table that waits for itself.
pub(crate) fn order(names: &[&str], pairs: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let mut left: Vec<&str> = names.to_vec();
    let mut done: Vec<String> = Vec::with_capacity(names.len());
    while !left.is_empty() {
        let free = left.iter().position(|name| {
            !pairs
                .iter()
                .any(|(before, after)| after == name && left.contains(before))
        });
        match free {
            Some(i) => done.push(left.remove(i).to_owned()),
            None => return Err(left.remove(0).to_owned()),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_the_given_order_unless_told() {
        let sorted = order(&["a", "b", "c"], &[("c", "a"), ("x", "b")]).unwrap();
        assert_eq!(sorted, ["b", "c", "a"]);
    }

    #[test]
    fn a_ring_is_named() {
        assert_eq!(
            order(&["a", "b"], &[("a", "b"), ("b", "a")]),
            Err("a".to_owned())
        );
        assert_eq!(order(&["a"], &[("a", "a")]), Err("a".to_owned()));
    }

    proptest! {
        #[test]
        fn every_pair_is_honoured(pairs in prop::collection::vec((0usize..8, 0usize..8), 0..12)) {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
            // Only forward pairs of a hidden permutation: such a set has no ring.
            let pairs: Vec<(&str, &str)> = pairs
                .into_iter()
                .filter(|(x, y)| (x * 5) % 8 < (y * 5) % 8)
                .map(|(x, y)| (names[x], names[y]))
                .collect();
            let sorted = order(&names, &pairs).unwrap();
            prop_assert_eq!(sorted.len(), names.len());
            let at = |name: &str| sorted.iter().position(|s| s == name).unwrap();
            for (before, after) in pairs {
                prop_assert!(at(before) < at(after));
            }
        }
    }
}
